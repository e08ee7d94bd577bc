"""Products that Zope 2.13 has started without, since they could not be imported or installed.

It writes that to its event log, and keeps it nowhere: what was broken was not imported, and the
transaction that would have put a Product into the database is aborted. Later Zopes, and those in
debug mode, do not start. So this listens from when products are imported, before any is installed.
"""

from __future__ import absolute_import

import logging
import re
import sys

from Products.ZopeExporterAgent.parts import ABSENT, text

MOST = 100
_LOGGER = "Application"  # of OFS.Application
_FAILED = re.compile(r"Couldn't install ([\w.]+)\Z")

_listening = []  # once in a process


class _Listener(logging.Filter):
    """Lets every record pass, and notes what could not be installed."""

    def __init__(self):
        logging.Filter.__init__(self)
        self.names = set()

    def filter(self, record):
        failed = _FAILED.match(record.msg) if isinstance(record.msg, str) else None
        if failed and len(self.names) < MOST:
            self.names.add(text(failed.group(1)))
        return True


def listen():
    """Begin to take notice; not where Zope is too new to start with a broken product."""
    if sys.version_info[0] == 2 and not _listening:
        _listening.append(_Listener())
        logging.getLogger(_LOGGER).addFilter(_listening[0])


def broken_products():
    """The names of those that could not be installed."""
    return sorted(_listening[0].names) if _listening else ABSENT
