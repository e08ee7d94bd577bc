"""Transaction ids, which are times: ZODB's own class for them takes half of ZODB to import."""

import struct
from datetime import date

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_YEAR = 1900
_MINUTE_AND_FRACTION = struct.Struct(">LL")


def time_of(tid: bytes) -> float:
    """Return the time of a transaction, in seconds since the epoch.

    Its minute is counted as if all months had 31 days. Raises ValueError unless it has 8 bytes.
    """
    if len(tid) != _MINUTE_AND_FRACTION.size:
        raise ValueError(f"a transaction id of {len(tid)} bytes")
    minutes: int
    fraction: int
    minutes, fraction = _MINUTE_AND_FRACTION.unpack(tid)
    days, minute = divmod(minutes, 24 * 60)
    months, day = divmod(days, 31)
    year, month = divmod(months, 12)
    first = date(_FIRST_YEAR + year, month + 1, 1).toordinal() - _EPOCH
    return (first + day) * 86400 + minute * 60 + fraction * 60 / 2.0**32
