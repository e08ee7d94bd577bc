"""Records of a RelStorage as its SQL database has them: bytes, of which no object is made.

The exporter looks into them, and asks for a few, once in a while. They are read in a thread and by
a connection of its own, which is closed at once; whoever asks comes again until they are there.
"""

from __future__ import absolute_import

import base64
import threading

from Products.ZopeExporterAgent.conversation import RefusedError
from Products.ZopeExporterAgent.parts import describe
from Products.ZopeExporterAgent.sql_statistics import DIALECTS, ask_database

MOST = 100  # records at a time
LARGEST = 1 << 20  # bytes of one
LARGEST_SUM = 2 << 20  # bytes of all, so that the exporter takes the answer


class Records(object):
    """Reads what was wished for last; only the agent's thread calls it."""

    def __init__(self):
        self._read = None

    def of(self, storage, oids):
        """By oid the records in base64, without those that are missing or too large.

        None while they are being read, or what someone else has wished for. Raises RefusedError.
        """
        adapter = getattr(storage, "_adapter", None)
        if type(adapter).__name__ not in DIALECTS:
            raise RefusedError(404, "the database is not in a RelStorage that can be asked")
        read, wish = self._read, (adapter, tuple(oids))
        if read is not None and read.is_running:
            return None
        self._read = None
        if read is None or read.wish != wish:
            read = Read(wish)
            read.start()  # raises if there are no more threads at the moment
            self._read = read
            return None
        if read.problem is not None:
            raise RefusedError(500, "its SQL database did not tell: " + read.problem)
        return read.found


class Read(object):
    """One look at a database for some records."""

    def __init__(self, wish):
        self.wish = wish
        self.is_running = True
        self.found = None
        self.problem = None

    def start(self):
        thread = threading.Thread(target=self._read, name="zope-exporter-records")
        thread.daemon = True
        thread.start()

    def _read(self):
        adapter, oids = self.wish
        try:
            self.found = ask_database(adapter, lambda cursor: _records(cursor, adapter, oids))
        except BaseException as error:
            self.problem = describe(error)
        self.is_running = False


def _records(cursor, adapter, oids):
    sizes = dict(_select(cursor, adapter, "state_size", oids))
    chosen, total = [], 0
    for oid in oids:
        size = sizes.get(oid) or 0
        if 0 < size <= LARGEST and total + size <= LARGEST_SUM:
            chosen.append(oid)
            total += size
    to_bytes = getattr(getattr(adapter, "driver", None), "binary_column_as_state_type", bytes)
    states = _select(cursor, adapter, "state", chosen) if chosen else []
    return {"%d" % oid: base64.b64encode(bytes(to_bytes(each))).decode() for oid, each in states}


def _select(cursor, adapter, column, oids):
    keeps_history = adapter.connmanager.keep_history
    current = " JOIN current_object USING (zoid, tid)" if keeps_history else ""
    numbers = ", ".join("%d" % oid for oid in oids)
    # Of names that are ours, and numbers.
    query = "SELECT zoid, %s FROM object_state%s WHERE zoid IN (%s)"
    cursor.execute(query % (column, current, numbers))
    return cursor.fetchall()
