"""Tells the exporter beside Zope what only the Zope process itself knows.

Being installed is being active: Zope calls `initialize` of every package in Products.
"""

from __future__ import absolute_import

import logging

__version__ = "0.4.0"


def _listen():
    """Zope 2.13 imports all products before it installs the first, and tells only its log."""
    try:
        from Products.ZopeExporterAgent.broken_products import listen

        listen()
    except Exception:
        logging.getLogger(__name__).exception("Broken products are not told, Zope goes on.")


_listen()


def initialize(_context):
    """Start answering on the socket; whatever goes wrong here, Zope starts."""
    try:
        from Products.ZopeExporterAgent.activation import activate

        activate()
    except Exception:
        logging.getLogger(__name__).exception("The agent is not active, Zope goes on without it.")
