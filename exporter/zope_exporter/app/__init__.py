"""The exporter put together from its configuration, and served."""
