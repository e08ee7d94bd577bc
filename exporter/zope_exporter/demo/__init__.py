"""A throwaway Zope with a past and with visitors, for the exporter to watch."""
