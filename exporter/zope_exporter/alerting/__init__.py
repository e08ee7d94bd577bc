"""What Alertmanager has to do with this exporter: its webhook, its silence, and the rules."""
