"""The commands of `zope-exporter` that are more than a call."""
