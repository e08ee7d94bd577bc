"""A damaged file as what is to be written, transaction after transaction, and what is not."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.format import (
    LENGTH,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    VOTED,
)

from .bounds import KNOWN, Bounds, Finder
from .damaged_file import DamagedFile, numbers
from .order import ordered
from .salvage import Salvaged, objects, salvaged
from .survey import Moves, Survey, survey

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


class Pieces:
    """Transactions in the order of their ids; `gaps` between them, of which some are holes.

    The number of a hole is that of its gap.
    """

    def __init__(self, file: DamagedFile, report: Report) -> None:
        self._file = file
        self._finder = Finder(file)
        self._survey: Survey = survey(file, report)
        self.moves = Moves(self._survey)
        self._order = ordered(file, self._survey, self.moves, self._objects)
        self.gaps = self._gaps()

    def __len__(self) -> int:
        return len(self._survey.starts)

    def __iter__(self) -> Iterator[Salvaged | Gap]:
        """Give what is to be written, and the gaps where they would be."""
        gaps = sorted(self.gaps, key=lambda gap: gap.start)
        one: Salvaged | None = None
        for number in self._order.sequence:
            found = self._read(number)
            if one is not None and one.tid == found.tid:
                one.join(found)
                continue
            if one is not None:
                yield one
            while gaps and gaps[0].start < found.start:
                yield gaps.pop(0)
            one = found
        if one is not None:
            yield one
        yield from gaps

    def notes(self) -> Iterator[str]:
        """Say what is in another place than before, or left out, and yet not lost."""
        for run in self.moves.runs():
            here, end = run.origin + run.shift, run.end + run.shift
            yield f"put right: bytes {here} to {end} were at {run.origin} before"
        starts = self._survey.starts
        for number in self._order.sorted_in:
            if not self.moves.moved(number):
                yield f"put right: the transaction at byte {starts[number]} is where its id belongs"
        for number, twin in self._order.copies.items():
            where = f"bytes {starts[number]} to {self.moves.end(number)}"
            yield f"left out {where}: a copy of the transaction at byte {starts[twin]}"

    def _bounds(self, number: int) -> Bounds:
        start = self._survey.starts[number]
        bounds = self._finder.bounds(start)
        if bounds is None:
            raise self._file.changed()
        return bounds

    def _read(self, number: int) -> Salvaged:
        tid, shift = int(self._order.tids[number]), self.moves.moved(number)
        return salvaged(self._file, self.moves, self._bounds(number), tid, shift)

    def _objects(self, number: int) -> Iterable[int]:
        return objects(self._file, self._bounds(number))

    def _gaps(self) -> list[Gap]:
        stretches = dict(self._survey.gaps)
        found = []
        for hole in self.moves.holes:
            begin = 0 if hole.place not in stretches and 0 in stretches else hole.place
            end = stretches.pop(begin, begin)
            found.append(self._gap(begin, end, hole.end - hole.origin))
        found += [self._gap(begin, end, 0) for begin, end in stretches.items()]
        return found

    def _gap(self, start: int, end: int, lost: int) -> Gap:
        tids = self._order.tids
        number = bisect_left(self._survey.starts, start)
        low = int(tids[number - 1]) if number else 0
        high = int(tids[number]) if number < len(tids) else None
        gap = Gap(start, end, lost, low, high)
        _examine(self._file, gap, self.moves.moved(number - 1) if number else 0)
        return gap


def _examine(file: DamagedFile, gap: Gap, shift: int) -> None:
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
