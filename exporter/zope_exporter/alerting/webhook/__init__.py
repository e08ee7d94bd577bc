"""What Alertmanager delivers, and what becomes of it."""
