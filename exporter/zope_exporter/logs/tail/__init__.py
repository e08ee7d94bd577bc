"""Following the log files of Zope and counting what they say."""
