"""What Zope, ZODB, ZEO, waitress and the system write into an event log when something is amiss.

Visitors can make Zope log words of theirs: the path of a request that failed.
"""

from typing import NamedTuple


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
        "Two transactions changed the same object, whatever became of the later one.",
    ),
    KnownPattern(
        "conflict_retried",
        r"ConflictError at .*(?:Request will be retried\.|unresolved\) since startup at )",
        "A request met a conflict and was tried again; Zope 2 says so of the last try too, later"
        " ones only with SiteErrorLog.",
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
        "A request ended in an exception that no error page was rendered for.",
    ),
    KnownPattern(
        "MemoryError",
        r"\bMemoryError\b|\bCannot allocate memory\b",
        "Memory ran out.",
    ),
    KnownPattern(
        "disk_full",
        r"\bNo space left on device\b|\bDisk quota exceeded\b",
        "A file system had no room.",
    ),
    KnownPattern(
        "too_many_open_files",
        r"\bToo many open files\b",
        "The process ran out of file descriptors.",
    ),
    KnownPattern(
        "ReadOnlyError",
        r"\bReadOnlyError\b|\bRead-only file system\b",
        "Something was to be written to a read-only storage or file system.",
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
        "The ZEO client cache was too old to be of use and was emptied.",
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
        "An object could not be loaded, be it missing, damaged or out of reach.",
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
