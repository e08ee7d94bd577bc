"""The event log as it is written inside Zope: its records by severity, and the patterns in them.

Wherever the records go, to a file, to stderr or as JSON, they come by here.
"""

from __future__ import absolute_import

import collections
import itertools
import logging
import sys
import time

from Products.ZopeExporterAgent.parts import text
from Products.ZopeExporterAgent.patterns import PATTERNS, find_patterns

LOOK = 1.0  # seconds between looks for loggers; records come without
MOST_TEXTS = 1000  # of one look: more than these are counted, but no pattern is looked for in them
LONGEST_TEXT = 4096
MOST_LEVELS = 50
MOST_CAUSES = 5
MOST_NAMES = 20
# Their records are requests: Paste's, and those of Zope 2.
REQUEST_LOGGERS = frozenset(["wsgi", "access", "trace"])
_NEVER = sys.maxsize
_monotonic = getattr(time, "monotonic", time.time)


class RecordCounter(logging.Handler):
    """Notes records, in the thread that logs them: in a microsecond, without a lock."""

    def __init__(self):
        logging.Handler.__init__(self)
        # To take the next one of a count is one step of the interpreter, as appending is.
        self.counts = {}  # by number of the level
        self.noted = itertools.count()
        self.texts = collections.deque(maxlen=MOST_TEXTS)

    def createLock(self):  # noqa: N802 -- logging calls it so
        self.lock = None

    def handle(self, record):
        """Whatever happens here is no concern of who logs."""
        try:
            if record.name not in REQUEST_LOGGERS:
                next(self._count_of(record.levelno))
                self.texts.append(_texts_of(record))
                next(self.noted)
        except Exception:  # noqa: S110 -- to log it would come here again
            pass
        return True

    def _count_of(self, level):
        count = self.counts.get(level)
        if count is None:
            if len(self.counts) >= MOST_LEVELS:
                level = None
            count = self.counts.setdefault(level, itertools.count())
        return count

    def close(self):
        """Configuring logging closes what it finds, and this one is put back."""


class EventLog(object):
    """The counts of the records that the loggers below `root` have given to its handlers."""

    def __init__(self, root=None, clock=_monotonic):
        self._root = root or logging.getLogger()
        self._clock = clock
        self._handler = RecordCounter()
        self._matches = dict.fromkeys((name for name, _, _ in PATTERNS), 0)
        self._looked_at = 0
        self._due = None
        self._has_begun = False
        self._apart = []

    def forget(self):
        """In a forked child, where nobody asks any more."""
        self._handler.setLevel(_NEVER)
        self._handler.texts = collections.deque(maxlen=0)

    def look(self):
        """Be where records are logged, as configuring logging removes every handler."""
        self.count()
        now = self._clock()
        if self._due is None or now >= self._due:
            self._due = now + LOOK
            self._attach()

    def count(self):
        """Look for patterns in what has come since the last time."""
        texts = self._handler.texts
        while texts:
            found = set()
            for each in texts.popleft():
                found |= find_patterns(each)
            self._looked_at += 1
            for name in found:
                self._matches[name] += 1

    def _attach(self):
        others = _writing(self._root)
        if not others:
            # Alone there, it would keep logging from printing warnings, and basicConfig from work.
            self._set_at(self._root, False)
            return
        self._has_begun = True
        self._handler.setLevel(min(getattr(other, "level", 0) for other in others))
        self._set_at(self._root, True)
        self._attach_apart(set(map(_destination, others)))

    def _attach_apart(self, destinations):
        """Be at loggers too that do not pass records on, but write where the root logger does."""
        apart = []
        for name, logger in list(self._root.manager.loggerDict.items()):
            if not isinstance(logger, logging.Logger) or name in REQUEST_LOGGERS:
                continue
            own = [] if logger.propagate else _writing(logger)
            is_ours = any(_destination(each) in destinations for each in own)
            self._set_at(logger, is_ours)
            if own and not is_ours and not logger.disabled:
                apart.append(text(name)[:100])
        self._apart = sorted(apart)[:MOST_NAMES]

    def _set_at(self, logger, shall):
        # Only where something changes: logging has one lock for all loggers.
        if shall and self._handler not in logger.handlers:
            logger.addHandler(self._handler)
        elif not shall and self._handler in logger.handlers:
            logger.removeHandler(self._handler)

    def status(self):
        """What /v1/status says; no counts as long as nothing writes what is logged."""
        self.look()
        if not self._has_begun:
            return {"is_written": False}
        records = {}
        for level, count in list(self._handler.counts.items()):
            name = "other" if level is None else text(str(logging.getLevelName(level)))[:50]
            records[name] = records.get(name, 0) + _value(count)
        waiting = len(self._handler.texts)
        return {
            "is_written": bool(_writing(self._root)),
            "records": records,
            "matches": dict(self._matches),
            "unmatched": max(0, _value(self._handler.noted) - self._looked_at - waiting),
            "apart": list(self._apart),
        }


def _texts_of(record):
    """Message and traceback of a record, mostly as a handler before us has formatted them."""
    message = record.__dict__.get("message")
    if message is None:
        message = record.getMessage()
    # A line begins with the time; no pattern is found at its beginning for that.
    texts = ("- " + _shortened(message),)
    if not record.exc_info:
        return texts
    trace = record.exc_text or _last_lines(record.exc_info[1])
    return texts + (_shortened(trace),)


def _shortened(value):
    if len(value) <= LONGEST_TEXT:
        return value
    # A traceback's last line says what it was.
    return value[: LONGEST_TEXT // 2] + "\n" + value[-LONGEST_TEXT // 2 :]


def _last_lines(error):
    """What the tracebacks of an exception and of those behind it end with.

    The whole of them would have to be read from files.
    """
    lines = []
    while error is not None and len(lines) < MOST_CAUSES:
        kind = type(error)
        name = kind.__name__
        if kind.__module__ not in ("builtins", "exceptions"):
            name = kind.__module__ + "." + name
        try:
            lines.append(name + ": " + str(error))
        except Exception:
            lines.append(name)
        error = getattr(error, "__cause__", None) or getattr(error, "__context__", None)
    return "\n".join(lines)


def _value(count):
    """The number that a count would give next."""
    return int(repr(count)[len("count(") : -1].rstrip("L"))


def _writing(logger):
    """The handlers of a logger that do something with what they get."""
    return [
        handler
        for handler in list(logger.handlers)
        if not isinstance(handler, (RecordCounter, logging.NullHandler))
    ]


def _destination(handler):
    """What is alike for handlers that write to one place."""
    handler = getattr(handler, "target", None) or handler
    path = getattr(handler, "baseFilename", None)
    if path:
        return path
    stream = getattr(handler, "stream", None)
    if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        return "the console"
    return id(handler if stream is None else stream)
