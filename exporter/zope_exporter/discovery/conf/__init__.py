"""What the configuration files of Zope and ZEO say, read without Zope."""
