"""Packs of this process's databases, each in a thread of its own, one at a time for a database."""

from __future__ import absolute_import

import logging
import threading
import time

from Products.ZopeExporterAgent.conversation import RefusedError
from Products.ZopeExporterAgent.databases import innermost
from Products.ZopeExporterAgent.pacing import considerate
from Products.ZopeExporterAgent.parts import describe

log = logging.getLogger(__name__)


class Packs(object):
    """The last pack of each database that was asked for here."""

    def __init__(self):
        self._lock = threading.Lock()
        self._last = {}
        self._number = 0

    def renew_locks(self):
        self._lock = threading.Lock()

    def start(self, name, database, days):
        """Begin to pack away what is older than `days`; the number of the pack."""
        with self._lock:
            if self.is_running(name, database.storage):
                raise RefusedError(409, "%s is being packed already" % name)
            self._number += 1
            pack = {
                "id": self._number,
                "running": True,
                "start": time.time(),
                "end": None,
                "error": None,
            }
            thread = threading.Thread(
                target=self._pack, name="zope-exporter-pack", args=(name, database, days, pack)
            )
            thread.daemon = True
            thread.start()
            self._last[name] = pack
            return self._number

    def _pack(self, name, database, days, pack):
        log.info("Packing %s to %s days ago, as asked by zope-exporter", name, days)
        try:
            with considerate(innermost(database.storage)):
                database.pack(days=days)
        except BaseException as error:  # SystemExit too: else it would be under way for ever
            pack["error"] = describe(error)
            log.exception("Packing %s has failed", name)
        else:
            log.info("Packed %s", name)
        pack["end"] = time.time()
        pack["running"] = False

    def is_running(self, name, storage):
        """Whether it is being packed, by whomever; None if it only might be by someone else."""
        last = self._last.get(name)
        if last is not None and last["running"]:
            return True
        return getattr(storage, "_pack_is_in_progress", None)

    def status(self):
        with self._lock:
            return {name: dict(pack) for name, pack in self._last.items()}
