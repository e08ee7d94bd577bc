"""Prometheus exporter for Zope, ZODB, ZEO and Plone."""

__version__ = "0.1.0"
