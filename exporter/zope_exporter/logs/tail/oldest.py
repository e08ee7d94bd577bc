"""The time of a log's first line."""

import re
import time
from datetime import datetime

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CLF = re.compile(
    rb"^[^\n]{0,2000}?\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\]"
)
_EVENT = re.compile(
    rb"^(?:-{4,}\r?\n)?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,]\d+)? ?(Z|[+-]\d\d:?\d\d)?"
)


def first_timestamp(head: bytes) -> float | None:
    """Return the time of the first line in seconds since the epoch, None where it has none.

    Common log format names its zone; an event log mostly does not and is then read as local time.
    """
    if access := _CLF.match(head):
        day, month, year, clock, zone = access.groups()
        number = _MONTHS.index(month) + 1 if month in _MONTHS else 0
        return _timestamp(b"%s-%02d-%s" % (year, number, day), clock, zone)
    if event := _EVENT.match(head):
        return _timestamp(event[1], event[2], (event[3] or b"").replace(b"Z", b"+0000"))
    return None


def _timestamp(day: bytes, clock: bytes, zone: bytes) -> float | None:
    text = b"%s %s%s" % (day, clock, zone.replace(b":", b""))
    try:
        if zone:
            return datetime.strptime(text.decode(), "%Y-%m-%d %H:%M:%S%z").timestamp()
        return time.mktime(time.strptime(text.decode(), "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None
