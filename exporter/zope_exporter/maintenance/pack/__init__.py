"""Packing a database through whatever owns it, and only where that can do no harm."""
