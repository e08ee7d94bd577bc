"""Conflicts of requests, by database: those tried again, and those that were one too many."""

from __future__ import absolute_import

import logging
import threading

log = logging.getLogger(__name__)

_KINDS = ("read", "write")
_OUTCOMES = ("retried", "failed")


class Conflicts(object):
    """Listens to ZPublisher's failures."""

    def __init__(self, requests):
        self._requests = requests
        self._lock = threading.Lock()
        self._counts = {}

    def renew_locks(self):
        self._lock = threading.Lock()

    def subscribe(self):
        from zope.component import provideHandler
        from ZPublisher.interfaces import IPubFailure

        provideHandler(self.heed, (IPubFailure,))

    def heed(self, event):
        """Count a failure. Whatever happens here is no concern of the request."""
        try:
            self._heed(event.exc_info, event.retry)
        except Exception:
            log.debug("A failure was not counted", exc_info=True)

    def _heed(self, exc_info, retry):
        from ZODB.POSException import ConflictError, ReadConflictError

        if not retry:
            self._requests.failed(exc_info[0])
        if issubclass(exc_info[0], ConflictError):
            self._requests.conflicted()
            kind = "read" if issubclass(exc_info[0], ReadConflictError) else "write"
            key = _database_of(exc_info[2]), kind, "retried" if retry else "failed"
            with self._lock:
                self._counts[key] = self._counts.get(key, 0) + 1

    def status(self, databases):
        """All counts, 0 for those of the named databases that have had no conflict."""
        with self._lock:
            counts = dict(self._counts)
        for name in databases:
            for kind in _KINDS:
                for outcome in _OUTCOMES:
                    counts.setdefault((name, kind, outcome), 0)
        return [
            {"database": name, "kind": kind, "outcome": outcome, "count": count}
            for (name, kind, outcome), count in sorted(counts.items())
        ]


def _database_of(traceback):
    """Name of the database whose connection raised, which the exception does not say; or ""."""
    from ZODB.Connection import Connection

    name = ""
    while traceback is not None:
        found = traceback.tb_frame.f_locals.get("self")
        # Not isinstance, which lets objects of any kind say what they are.
        if issubclass(type(found), Connection):
            name = found.db().database_name
        traceback = traceback.tb_next
    return name
