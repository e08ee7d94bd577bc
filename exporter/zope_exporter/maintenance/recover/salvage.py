"""What is still whole of a transaction, record by record."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from zope_exporter.storage.filestorage.format import (
    LENGTH,
    NORMAL,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_OFFSET,
    VOTED,
)
from zope_exporter.storage.filestorage.records import begins_as_stored

from .bounds import KNOWN, Bounds, texts
from .damaged_file import DamagedFile, RecordHeader, is_whole
from .survey import Moves

BLOCK = 1 << 20
FIELDS = 3  # of a record that repeat those of its transaction, or are always 0


class Kept(NamedTuple):
    """A whole record: `data` is where its data begin, 0 if it has a pointer `back` instead.

    `previous` is where the object's revision before was, and `tid` under which id it was written.
    """

    oid: int
    position: int
    data: int
    length: int
    back: int
    previous: int
    tid: int


@dataclass
class LostRecord:
    """A record of which nothing can be used; `oid` is None if not even that can be told."""

    oid: int | None
    position: int


@dataclass
class Salvaged:
    """A transaction with what is left of it; `repaired` names the fields that were wrong."""

    tid: int
    status: bytes
    texts: tuple[bytes, bytes, bytes]
    start: int
    end: int
    shift: int = 0
    records: list[Kept] = field(default_factory=list)
    lost: list[LostRecord] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    def join(self, other: "Salvaged") -> None:
        """Take in what another transaction of the same id has."""
        self.repaired += [*other.repaired, f"a second part of it at byte {other.start}"]
        there = {record.oid for record in (*self.records, *other.records)}
        self.records += other.records
        self.lost = [each for each in (*self.lost, *other.lost) if each.oid not in there]


def salvaged(file: DamagedFile, moves: Moves, bounds: Bounds, tid: int, shift: int) -> Salvaged:
    """Return what is whole; `tid` is the id it shall have, `shift` how far it was moved."""
    status, repaired = bounds.header.status, list(bounds.repaired)
    if (tid,) != bounds.tids or bounds.header.tid != tid:
        repaired.insert(0, _ids(bounds))
    if status not in KNOWN or status == VOTED:
        repaired.append("status")
        status = NORMAL
    found = Salvaged(
        tid,
        status,
        texts(file, bounds.start, bounds.header),
        bounds.start,
        bounds.after,
        shift,
        repaired=repaired,
    )
    _Records(file, moves, bounds, found).read()
    return found


def _ids(bounds: Bounds) -> str:
    tids = ", ".join(f"{tid:016x}" for tid in dict.fromkeys((bounds.header.tid, *bounds.tids)))
    return f"id, which was {tids}"


class _Records:
    """Goes through the records of one transaction."""

    def __init__(self, file: DamagedFile, moves: Moves, bounds: Bounds, found: Salvaged) -> None:
        self._file = file
        self._moves = moves
        self._bounds = bounds
        self._found = found
        self._place = bounds.start - found.shift

    def read(self) -> None:
        position, end = self._bounds.records, self._bounds.end
        while position < end:
            after = self._add(position, end)
            if after is None:
                after = self._next(position + 1, end)
                self._mend(position, after)
            position = after

    def _add(self, position: int, end: int) -> int | None:
        """Add the record there and return where it ends; None if that cannot be told."""
        record = self._file.record(position)
        if record is None or position + record.size > end:
            return None
        right = sum(self._right(record))
        after = position + record.size
        if right < FIELDS - 1:
            return None
        if self._is_pointer(record, position):
            record, right = record._replace(length=0), 0
        elif not self._is_back(record, position) or not self._ends(record, position, end):
            return None
        if right < FIELDS:
            self._found.repaired.append(f"record at byte {position}")
        self._keep(record, position, record.length)
        return after

    def _right(self, record: RecordHeader) -> tuple[bool, bool, bool]:
        """Tell which fields of a record are those of its transaction."""
        return (
            record.tid in self._bounds.tids,
            record.start == self._place,
            not record.version,
        )

    def _is_pointer(self, record: RecordHeader, position: int) -> bool:
        """Tell a pointer from eight bytes of data, which no pickles of ZODB are."""
        if record.length != LENGTH.size or not self._leads_to(record):
            return False
        return not is_whole(self._file.read(LENGTH.size, position + RECORD_HEADER.size))

    def _is_back(self, record: RecordHeader, position: int) -> bool:
        """Tell whether the pointer of a record without data may be one."""
        return bool(record.length) or record.back < position - self._found.shift

    def _ends(self, record: RecordHeader, position: int, end: int) -> bool:
        """Tell whether the length of a record is right: the next one follows, or by its data."""
        if self._fits(position + record.size, end):
            return True
        if not record.length:
            return self._leads_to(record)
        data = self._file.read(record.length, position + RECORD_HEADER.size)
        # Of what is encrypted nothing tells the length; there must be room for a damaged record.
        if begins_as_stored(data):
            return is_whole(data)
        after = position + record.size
        return self._next(after, end) - after > RECORD_HEADER.size

    def _keep(self, record: RecordHeader, position: int, length: int) -> None:
        previous = record.previous
        if previous >= position - self._found.shift:
            self._found.repaired.append(f"pointer to the revision before, at byte {position}")
            previous = 0
        tids = (record.tid, *self._bounds.tids, self._found.tid)
        tid = tids[0] if tids[0] in tids[1:] else tids[1]
        data, back = (position + RECORD_HEADER.size, 0) if length else (0, record.back)
        self._found.records.append(Kept(record.oid, position, data, length, back, previous, tid))

    def _fits(self, position: int, end: int) -> bool:
        if position == end:
            return True
        record = self._file.record(position)
        return record is not None and (
            record.tid in self._bounds.tids or record.start == self._place
        )

    def _mend(self, position: int, after: int) -> None:
        """Keep a record of which one field is wrong, else count it as lost."""
        record = self._file.record(position)
        if record is None:
            self._found.lost.append(LostRecord(None, position))
            return
        length = self._length(record, position, after - position)
        right = self._right(record)
        if length is not None and sum(right) + (record.length == length) >= FIELDS:
            self._keep(record, position, length)
            self._found.repaired.append(f"record at byte {position}")
            return
        named = right[0] or right[1]
        self._found.lost.append(LostRecord(record.oid if named else None, position))

    def _length(self, record: RecordHeader, position: int, room: int) -> int | None:
        """Return how long the data are that fill the room, 0 for a pointer; None if they do not."""
        if room == record.size:
            return record.length if self._is_back(record, position) else None
        if room == RECORD.size and self._leads_to(record):
            return 0
        length = room - RECORD_HEADER.size
        # A wrong length may have swallowed the record after it.
        data = self._file.read(length, position + RECORD_HEADER.size) if length > 0 else b""
        return length if data and is_whole(data) else None

    def _leads_to(self, record: RecordHeader) -> bool:
        if not record.back:
            return True
        there = self._file.record(self._moves.here(record.back))
        return there is not None and there.oid == record.oid and not there.version

    def _next(self, position: int, end: int) -> int:
        """Return where the next record begins that is one of this transaction beyond doubt."""
        wanted = LENGTH.pack(max(self._place, 0))
        for base in range(position, end, BLOCK):
            block = self._file.read(min(BLOCK + RECORD.size, end - base), base)
            at = block.find(wanted, TRANSACTION_OFFSET)
            while at >= 0:
                place = base + at - TRANSACTION_OFFSET
                record = self._file.record(place)
                if record and all(self._right(record)):
                    return place
                at = block.find(wanted, at + 1)
        return end


def objects(file: DamagedFile, bounds: Bounds) -> Iterator[int]:
    """Give the ids of the objects in a transaction, as far as its records follow each other."""
    position, place = bounds.records, bounds.start - bounds.shift
    while position < bounds.end:
        record = file.record(position)
        if record is None or (record.tid not in bounds.tids and record.start != place):
            return
        yield record.oid
        position += record.size
