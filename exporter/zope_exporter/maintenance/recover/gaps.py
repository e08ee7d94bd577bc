"""What can still be read of transactions that are lost."""

from dataclasses import dataclass, field

import numpy as np

from zope_exporter.storage.filestorage.format import (
    LENGTH,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    VOTED,
)

from .bounds import KNOWN
from .damaged_file import DamagedFile, numbers

BLOCK = 1 << 20
TID, PLACE, VERSION = 8, 24, 32  # offsets in a record


@dataclass
class Gap:
    """Bytes of which no transaction can be made; `unfinished` is one that never was committed.

    `lost` bytes of the original are not there, be it that others are in their place; in these were
    at least so many `transactions`, above the id `low` and below the id `high`, with these objects.
    """

    start: int
    end: int
    lost: int
    low: int
    high: int | None
    transactions: int = 0
    oids: set[int] = field(default_factory=set)
    unfinished: bool = False


def examine(file: DamagedFile, gap: Gap, shift: int) -> None:
    """Find the records in a gap by what no other bytes have: that they name a place in it."""
    header = file.header(gap.start)
    if header is None:
        gap.unfinished = gap.start < gap.end == file.size
    elif gap.end == file.size and header.status in KNOWN:
        beyond = gap.start + header.length + LENGTH.size > file.size
        gap.unfinished = header.status == VOTED or beyond
    if gap.unfinished or not gap.lost:
        return
    places: set[int] = set()
    last = gap.start
    for base in range(gap.start, gap.end, BLOCK):
        block = file.read(min(BLOCK + RECORD.size, gap.end - base), base)
        for offset in _likely(block, base, gap, shift):
            position = base + offset
            record = file.record(position)
            if record is None or position < last or record.version:
                continue
            last = position + RECORD_HEADER.size
            places.add(record.start)
            gap.oids.add(record.oid)
    gap.transactions = max(len(places), 1)


def _likely(block: bytes, base: int, gap: Gap, shift: int) -> list[int]:
    """Return the offsets of what may be records of transactions that began in the gap."""
    found = numbers(block)
    count = min(len(found) - VERSION, BLOCK)
    if count <= 0:
        return []
    tids, places = found[TID : TID + count], found[PLACE : PLACE + count]
    origin = gap.start - shift
    begin = np.uint64(max(origin, 0))
    before = np.arange(count, dtype=np.uint64) + np.uint64(max(base - shift, 0))
    likely = (places >= begin) & (places + np.uint64(TRANSACTION_HEADER.size) <= before)
    likely &= tids > np.uint64(gap.low)
    if gap.high is not None:
        likely &= tids < np.uint64(gap.high)
    found_at: list[int] = np.flatnonzero(likely).tolist()
    return found_at
