"""The moment whose state is wanted, as a person writes it, and shown as it was understood."""

import re
from datetime import datetime, timezone

from persistent.TimeStamp import TimeStamp

from zope_exporter.maintenance.backup.stamps import time_of

_TID = re.compile("(?:0x)?([0-9a-fA-F]{16})")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:(Z)|([+-]\d\d):?(\d\d))?"
)
HOW = (
    "write 2026-11-22T14:30:00Z, 2026-11-22T14:30:00+01:00, or without zone for that of this host,"
    " the 16 hexadecimal digits of a transaction id, or the stamp of a backup, 2026-11-22-13-30-00"
)
# Beyond these a transaction id begins anew.
FIRST_YEAR, LAST_YEAR = 1900, 9916
LOWEST, HIGHEST = bytes(8), b"\xff" * 8


class PointInTimeError(ValueError):
    """What was written is no moment; says how to write one."""


def wanted(text: str) -> bytes | str:
    """Return what is to be restored: the highest transaction id, or the stamp of a backup."""
    return text if time_of(text) else transaction_at(text)


def transaction_at(text: str) -> bytes:
    """Return the highest transaction id of a moment: what is wanted is of it or before it."""
    found = _TID.fullmatch(text)
    if found:
        return bytes.fromhex(found[1])
    time = _TIME.fullmatch(text)
    if not time:
        raise PointInTimeError(f"{text!r} is not a moment: {HOW}")
    day, minute, second, fraction, utc, hours, minutes = time.groups()
    zone = "+00:00" if utc else f"{hours}:{minutes}" if hours else ""
    # All that Python 3.10 understands.
    whole = f"{day}T{minute}:{second or '00'}.{fraction or '':0<6}{zone}"
    try:
        # Without a zone it is local time.
        when = datetime.fromisoformat(whole).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise PointInTimeError(f"{text!r} is not a moment ({error}): {HOW}") from None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        return LOWEST if when.year < FIRST_YEAR else HIGHEST
    seconds = when.second + when.microsecond / 1e6
    stamp = TimeStamp(when.year, when.month, when.day, when.hour, when.minute, seconds)
    return bytes(stamp.raw())


def understood(tid: bytes) -> str:
    """Return the time of a transaction in the zone of this host, with that zone, and in UTC."""
    when = datetime.fromtimestamp(TimeStamp(tid).timeTime(), timezone.utc)
    return f"{when.astimezone().isoformat(timespec='seconds')}, {when:%Y-%m-%dT%H:%M:%SZ}"


def shown(tid: bytes) -> str:
    """Return the time of a transaction and its id."""
    seconds = TimeStamp(tid).timeTime()
    when = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{when:%Y-%m-%dT%H:%M:%S.%fZ} (transaction {tid.hex()})"
