"""Counting the records in which patterns are found, in time linear in the text.

The known ones are what Zope, ZODB, ZEO, waitress and the system write into an event log when
something is amiss. Visitors can make Zope log words of theirs: the path of a request that failed.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import re2

# RE2 is told never to match a newline, so that only these could still look beyond a line.
_BEYOND_LINES = re.compile(r"(?:[^\\]|\\[^AzC])*?(\\[AzC]|\(\?[a-zA-Z]*-[a-zA-Z]*m)")


class KnownPattern(NamedTuple):
    name: str
    regex: str
    meaning: str


KNOWN_PATTERNS = (
    KnownPattern(
        "POSKeyError",
        r"\bPOSKeyError\b",
        "An object that another one refers to is missing from the database.",
    ),
    KnownPattern(
        "ConflictError",
        r"ConflictError\b",
        "Two transactions changed the same object; the later one was retried or failed.",
    ),
    KnownPattern(
        "conflict_retried",
        r"ConflictError at .*(?:Request will be retried\.|unresolved\) since startup at )",
        "A request had a conflict and was retried; Zope 2 logs this for the last try too, "
        "later versions only with SiteErrorLog.",
    ),
    KnownPattern(
        "conflict_failed",
        r"^(?:\w+\.)*\w*ConflictError(?:: |$)",
        "A traceback ended in a conflict; a request that failed after its last retry may be"
        " logged by both SiteErrorLog and waitress.",
    ),
    KnownPattern(
        "unhandled_exception",
        r"\bException while serving ",
        "A request ended in an exception without an error page.",
    ),
    KnownPattern(
        "MemoryError",
        r"\bMemoryError\b|\bCannot allocate memory\b",
        "Memory ran out.",
    ),
    KnownPattern(
        "disk_full",
        r"\bNo space left on device\b|\bDisk quota exceeded\b",
        "A file system was full.",
    ),
    KnownPattern(
        "too_many_open_files",
        r"\bToo many open files\b",
        "The process ran out of file descriptors.",
    ),
    KnownPattern(
        "ReadOnlyError",
        r"\bReadOnlyError\b|\bRead-only file system\b",
        "A write to a read-only storage or file system failed.",
    ),
    KnownPattern(
        "pool_size",
        r"\bopen connections with a pool_size of ",
        "More connections to a database were open than its pool-size.",
    ),
    KnownPattern(
        "task_queue_depth",
        r"\bTask queue depth is \d",
        "A request had to wait for a worker thread.",
    ),
    KnownPattern(
        "client_gone",
        r"\bClient disconnected while serving ",
        "A visitor or proxy closed the connection before the answer was sent.",
    ),
    KnownPattern(
        "ClientDisconnected",
        r"\bClientDisconnected\b",
        "The ZEO server was needed while there was no connection to it.",
    ),
    KnownPattern(
        "zeo_disconnected",
        r"\bDisconnected from storage: ",
        "The connection to the ZEO server was lost.",
    ),
    KnownPattern(
        "zeo_cache_dropped",
        r"\bdropping stale cache\b",
        "The ZEO client cache was too old and was emptied.",
    ),
    KnownPattern(
        "transaction_timeout",
        r"\bTransaction timeout after \d",
        "A ZEO server disconnected a client that held the commit lock for too long.",
    ),
    KnownPattern(
        "future_records",
        r"\bDatabase records \d+ seconds in the future\b",
        "The Data.fs is newer than the clock of the system.",
    ),
    KnownPattern(
        "commit_inconsistent",
        r"\bA storage error occurred during the second phase of the two-phase commit\b",
        "A commit failed half-way, databases may disagree.",
    ),
    KnownPattern(
        "storage_closed",
        r"\bFailure in _finish\. Closing\.",
        "A Data.fs could not be written at the end of a commit and was closed until a restart.",
    ),
    KnownPattern(
        "load_failed",
        r"\bCouldn't load state for ",
        "An object could not be loaded: missing, damaged or out of reach.",
    ),
    KnownPattern(
        "data_corrupted",
        r"\bCorrupted(?:Data|Transaction)?Error\b|\bhas invalid transaction header at "
        r"|\btruncated, possibly due to damaged records at ",
        "A Data.fs is damaged.",
    ),
    KnownPattern(
        "started",
        r"\bReady to handle requests$",
        "Zope has started.",
    ),
)


class PatternCounter:
    """Counts the records in which each of some patterns (RE2) is found.

    A pattern is looked for in each line of a record; `^` and `$` are the ends of a line. A record
    counts once per pattern, in however many lines and calls it comes.
    """

    def __init__(self, patterns: Mapping[str, str], start: re.Pattern[bytes]) -> None:
        """Prepare patterns by name for records that begin where `start` matches.

        Raises ValueError, naming the pattern and the reason.
        """
        self.counts: dict[str, int] = dict.fromkeys(patterns, 0)
        self.found: set[str] = set()  # in the last record so far
        self.start = start
        self._names = tuple(patterns)
        by_line = [_by_line(name, regex) for name, regex in patterns.items()]
        self._which = re2.Set.SearchSet(_options())
        for regex in by_line:
            self._which.Add(regex)
        try:
            self._any = re2.compile("|".join(by_line), _options())
            self._which.Compile()
        except re2.error:
            raise ValueError("patterns are too large together; have fewer repetitions") from None

    def count(self, text: bytes, pos: int) -> None:
        """Count in whole lines from a position on, which follows a newline.

        Lines before the first start of a record belong to the last record of the call before.
        """
        end = self._end(text, pos - 1)
        # After the last newline is no line, not even an empty one.
        while pos < len(text) and (hit := self._any.search(text, pos, len(text) - 1)):
            if hit.start() >= end:
                self.found.clear()
                end = self._end(text, hit.start())
            line = text.rfind(b"\n", 0, hit.start()) + 1
            which = self._which.Match(text[line : end - 1])
            new = {self._names[index] for index in which} - self.found
            for name in new:
                self.counts[name] += 1
            self.found |= new
            pos = end
        if end < len(text):
            self.found.clear()

    def _end(self, text: bytes, inside: int) -> int:
        following = self.start.search(text, inside)
        return following.start() + 1 if following else len(text)


def _by_line(name: str, regex: str) -> str:
    by_line = f"(?m:{regex})"
    try:
        re2.compile(regex, _options())  # by itself too: its parentheses must match within it
        re2.compile(by_line, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"pattern {name} is not a regular expression of RE2: {text}") from None
    beyond = _BEYOND_LINES.match(regex)
    if beyond:
        raise ValueError(f"pattern {name} has {beyond[1]}, but is looked for line by line")
    return by_line


def _options() -> re2.Options:
    options = re2.Options()
    options.never_nl = True
    options.never_capture = True
    options.log_errors = False
    return options
