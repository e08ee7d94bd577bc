"""The bytes of a Data.fs: magic, headers, and the ids of transactions, which are times.

ZODB's own class for the ids takes half of ZODB to import.
"""

from datetime import date, datetime, timezone
from struct import Struct
from typing import NamedTuple

MAGICS = (b"FS21", b"FS30")
FIRST_TRANSACTION = 4

NORMAL, PACKED, UNDONE, VOTED = b" ", b"p", b"u", b"c"
COMMITTED = (NORMAL, PACKED, UNDONE)

# tid, length, status, lengths of user, description and extension
TRANSACTION_HEADER = Struct(">QQcHHH")
LENGTHS, LENGTHS_OFFSET = Struct(">HHH"), 17
# oid, tid, previous record, transaction, 0, data length; without data a back pointer follows
RECORD_HEADER = Struct(">QQQQHQ")
RECORD = Struct(">QQQQHQQ")
TRANSACTION_OFFSET = 24  # in a record, where it says where its transaction begins
LENGTH = Struct(">Q")
LARGEST_FILE = 1 << 62

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_YEAR = 1900
_MINUTE_AND_FRACTION = Struct(">LL")


class Transaction(NamedTuple):
    """A whole transaction in the file: `start`, its first record, and `end` after the last byte."""

    tid: int
    status: bytes
    start: int
    records: int
    end: int

    @classmethod
    def unpack(cls, header: bytes | bytearray, start: int, offset: int = 0) -> "Transaction":
        """Return the transaction at `start` in the file, as its header at `offset` says."""
        tid, length, status, user, description, extension = TRANSACTION_HEADER.unpack_from(
            header, offset
        )
        records = start + TRANSACTION_HEADER.size + user + description + extension
        return cls(tid, status, start, records, start + length + LENGTH.size)

    @property
    def length(self) -> int:
        """What stands at both of its ends."""
        return self.end - self.start - LENGTH.size

    @property
    def overhead(self) -> int:
        """Bytes it takes besides its records."""
        return self.records - self.start + LENGTH.size


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


def tid_at(seconds: float) -> int:
    """Return the id of a transaction at that time, as a number; 0 where there can be none."""
    try:
        when = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return 0
    months = max(0, when.year - _FIRST_YEAR) * 12 + when.month - 1
    minutes = ((months * 31 + when.day - 1) * 24 + when.hour) * 60 + when.minute
    return (minutes << 32) + int((when.second + when.microsecond / 1e6) * 2**32 / 60)


def hour_of(tid: int) -> int:
    """Return the hour of a transaction, as a number that is larger for later ones."""
    return (tid >> 32) // 60
