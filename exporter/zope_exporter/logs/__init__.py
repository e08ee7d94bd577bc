"""What the logs of a Zope say: followed as files, or received by syslog."""
