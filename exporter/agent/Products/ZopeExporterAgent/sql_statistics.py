"""Size, objects and last transaction of a RelStorage, asked of its SQL database once a minute.

In a thread and by a connection of its own, which is closed at once: a server that hangs holds up
nobody, and no session that stays open keeps it from vacuuming. Nothing counts a whole table: a
server's own estimate is taken, or rows are counted up to a limit.
"""

from __future__ import absolute_import

import struct
import threading
import time

from Products.ZopeExporterAgent.parts import UnknownError, describe

EVERY = 60.0  # seconds
AFTER_FAILURE = 300.0
VALID = 180.0  # what was found longer ago is not told any more
MOST_MILLISECONDS = 10000
_monotonic = getattr(time, "monotonic", time.time)

# How many rows a table has, if no more than so many.
_COUNTED = "SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT {most}) counted"


class Dialect(object):
    """What an SQL database is asked. `estimate` is none of rows where it has no estimate yet."""

    def __init__(self, size, most, estimate=None, limit=None):
        self.size = size
        self.most = most
        self.estimate = estimate
        self.limit = limit


DIALECTS = {
    "PostgreSQLAdapter": Dialect(
        size="SELECT pg_database_size(current_database())",
        most=10000,
        estimate="SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass('{table}')",
        limit="SET LOCAL statement_timeout = {milliseconds}",
    ),
    "MySQLAdapter": Dialect(
        size="SELECT SUM(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = DATABASE()",
        most=10000,
        estimate="SELECT table_rows FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = '{table}'",
        limit="SET SESSION max_execution_time = {milliseconds}",
    ),
    # It runs in this process, and reads an index, by a few MB for a million rows.
    "Sqlite3Adapter": Dialect(
        size="SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        most=1000000,
    ),
}


class SqlStatistics(object):
    """What was found of each adapter, and when; only the agent's thread calls it."""

    def __init__(self, clock=_monotonic):
        self._clock = clock
        self._looks = {}

    def meet(self, adapter):
        """Ask for the first time, so that there is an answer for whoever asks once only."""
        if id(adapter) not in self._looks:
            self.of(adapter)

    def of(self, adapter):
        """What is known, None without; begin to ask again if that is due.

        Raises UnknownError as long as the last look has failed.
        """
        dialect = DIALECTS.get(type(adapter).__name__)
        if dialect is None:
            return None
        look = self._looks.get(id(adapter))
        if look is None or look.adapter is not adapter:
            look = self._looks[id(adapter)] = Look(adapter, dialect, self._clock)
        look.begin()
        return look.found()


class Look(object):
    """Asks one database again and again, but never twice at a time."""

    def __init__(self, adapter, dialect, clock):
        self.adapter = adapter
        self._dialect = dialect
        self._clock = clock
        self._due = None
        self._is_asking = False
        self._found = None  # a moment and the answers of that moment
        self._problem = None

    def begin(self):
        now = self._clock()
        if self._is_asking or (self._due is not None and now < self._due):
            return
        self._is_asking = True
        self._due = now + EVERY
        thread = threading.Thread(target=self._ask, name="zope-exporter-relstorage")
        thread.daemon = True
        try:
            thread.start()
        except BaseException:  # there may be no more threads at the moment
            self._is_asking = False
            raise

    def found(self):
        if self._problem is not None:
            raise UnknownError("its SQL database did not tell: " + self._problem)
        if self._found is None or self._clock() - self._found[0] > VALID:
            return None
        return self._found[1]

    def _ask(self):
        began = self._clock()
        try:
            self._found = began, self._answers()
            self._problem = None
        except BaseException as error:
            self._problem = describe(error)
            self._due = began + AFTER_FAILURE
        self._is_asking = False

    def _answers(self):
        keeps_history = self.adapter.connmanager.keep_history
        return ask_database(
            self.adapter, lambda cursor: _ask_all(cursor, self._dialect, keeps_history)
        )


def ask_database(adapter, question):
    """What `question` makes of a cursor that only reads, of a connection of its own.

    Only for adapters that have a dialect; raises whatever they do.
    """
    manager = adapter.connmanager
    limit = DIALECTS[type(adapter).__name__].limit

    def ask(_connection, cursor):
        if limit:
            cursor.execute(limit.format(milliseconds=MOST_MILLISECONDS))
        return question(cursor)

    # Read by open_and_call, as those of its decorator are.
    ask.transaction_isolation_level = manager.isolation_read_committed
    ask.transaction_read_only = True
    ask.transaction_deferrable = False
    ask.transaction_application_name = "zope-exporter"
    return manager.open_and_call(ask)


def _ask_all(cursor, dialect, keeps_history):
    table = "current_object" if keeps_history else "object_state"
    tid = _number(cursor, "SELECT MAX(tid) FROM object_state")  # of an index
    return {
        "bytes": _number(cursor, dialect.size),
        "objects": _objects(cursor, dialect, table),
        "last_transaction": _time_of(tid) if tid else None,
    }


def _objects(cursor, dialect, table):
    """An estimate or an exact number, None where neither is to be had cheaply."""
    estimate = dialect.estimate and _number(cursor, dialect.estimate.format(table=table))
    if estimate and estimate > dialect.most:
        return estimate
    counted = _number(cursor, _COUNTED.format(table=table, most=dialect.most + 1))
    if counted is not None and counted <= dialect.most:
        return counted
    return None


def _number(cursor, query):
    cursor.execute(query)
    row = cursor.fetchone()
    return int(row[0]) if row and row[0] is not None else None


def _time_of(tid):
    from persistent.TimeStamp import TimeStamp

    return TimeStamp(struct.pack(">Q", tid)).timeTime()
