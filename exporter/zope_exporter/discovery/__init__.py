"""Finding the Zope and ZEO servers of this host, and settling what belongs together."""
