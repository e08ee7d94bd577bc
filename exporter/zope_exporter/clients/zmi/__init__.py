"""What a Zope without agent tells of itself on its management pages (ZMI)."""
