"""The command `zope-exporter`: one file a command."""
