"""What is looked for in the records of the event log, in time linear in their text.

The exporter looks for the same in log files; a test holds the two lists together.
"""

from __future__ import absolute_import

import re

# Name, texts of which a line has at least one, and the regular expression it then has to match.
PATTERNS = (
    ("POSKeyError", ("POSKeyError",), r"\bPOSKeyError\b"),
    ("ConflictError", ("ConflictError",), r"ConflictError\b"),
    (
        "conflict_retried",
        ("ConflictError at ",),
        r"ConflictError at .*(?:Request will be retried\.|unresolved\) since startup at )",
    ),
    ("conflict_failed", ("ConflictError",), r"^(?:\w+\.)*\w*ConflictError(?:: |$)"),
    ("unhandled_exception", ("Exception while serving ",), r"\bException while serving "),
    (
        "MemoryError",
        ("MemoryError", "Cannot allocate memory"),
        r"\bMemoryError\b|\bCannot allocate memory\b",
    ),
    (
        "disk_full",
        ("No space left on device", "Disk quota exceeded"),
        r"\bNo space left on device\b|\bDisk quota exceeded\b",
    ),
    ("too_many_open_files", ("Too many open files",), r"\bToo many open files\b"),
    (
        "ReadOnlyError",
        ("ReadOnlyError", "Read-only file system"),
        r"\bReadOnlyError\b|\bRead-only file system\b",
    ),
    (
        "pool_size",
        ("open connections with a pool_size of ",),
        r"\bopen connections with a pool_size of ",
    ),
    ("task_queue_depth", ("Task queue depth is ",), r"\bTask queue depth is \d"),
    (
        "client_gone",
        ("Client disconnected while serving ",),
        r"\bClient disconnected while serving ",
    ),
    ("ClientDisconnected", ("ClientDisconnected",), r"\bClientDisconnected\b"),
    ("zeo_disconnected", ("Disconnected from storage: ",), r"\bDisconnected from storage: "),
    ("zeo_cache_dropped", ("dropping stale cache",), r"\bdropping stale cache\b"),
    ("transaction_timeout", ("Transaction timeout after ",), r"\bTransaction timeout after \d"),
    (
        "future_records",
        ("seconds in the future",),
        r"\bDatabase records \d+ seconds in the future\b",
    ),
    (
        "commit_inconsistent",
        ("storage error occurred during the second phase",),
        r"\bA storage error occurred during the second phase of the two-phase commit\b",
    ),
    ("storage_closed", ("Failure in _finish. Closing.",), r"\bFailure in _finish\. Closing\."),
    ("load_failed", ("Couldn't load state for ",), r"\bCouldn't load state for "),
    (
        "data_corrupted",
        ("Corrupted", "has invalid transaction header at ", "truncated, possibly due to damaged"),
        r"\bCorrupted(?:Data|Transaction)?Error\b|\bhas invalid transaction header at "
        r"|\btruncated, possibly due to damaged records at ",
    ),
    ("started", ("Ready to handle requests",), r"\bReady to handle requests$"),
)
# In pieces between which is anything: each is found at its first place, and nothing tried twice.
_PIECES = {
    name: tuple(re.compile(piece) for piece in regex.split(".*")) for name, _, regex in PATTERNS
}
_HINTS = tuple((hint, name) for name, hints, _ in PATTERNS for hint in hints)


def find_patterns(text):
    """The names of the patterns that some line of the text has."""
    # Most records have none, which is seen soonest so.
    possible = [name for hint, name in _HINTS if hint in text]
    if not possible:
        return set()
    lines = text.splitlines()
    return {name for name in possible if any(_follow(_PIECES[name], line) for line in lines)}


def _follow(pieces, line):
    place = 0
    for piece in pieces:
        match = piece.search(line, place)
        if match is None:
            return False
        place = match.end()
    return True
