"""All that is still whole in a damaged Data.fs, transaction by transaction.

ZODB writes each fact twice: the length of a transaction stands at both of its ends, and every
record repeats the id and the place of its transaction. So one wrong field is put right, one wrong
record costs that record, and what follows a place that makes no sense is found again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pickletools import genops
from typing import NamedTuple

import numpy as np

from zope_exporter.filestorage.records import (
    NORMAL,
    PACKED,
    RECORD,
    RECORD_HEADER_SIZE,
    UNDONE,
    DataFile,
)
from zope_exporter.filestorage.tail import FIRST_TRANSACTION, LENGTH, TRANSACTION_HEADER, VOTED

KNOWN = (NORMAL, PACKED, UNDONE, VOTED)
BLOCK = 1 << 20
PICKLES = 2  # of a record: the class and the state
# No clock is wrong by as much, and what is above would outdo every transaction to come.
LATEST = int.from_bytes(b"\x08" + bytes(7), "big")


class Kept(NamedTuple):
    """A whole record: `data` is where its data begin, 0 if it has a pointer `back` instead."""

    oid: int
    position: int
    data: int
    length: int
    back: int


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
    records: list[Kept] = field(default_factory=list)
    lost: list[LostRecord] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Gap:
    """Bytes of which no transaction can be made; `unfinished` is one that never was committed."""

    start: int
    end: int
    tid: int | None
    oids: tuple[int, ...] = ()
    unfinished: bool = False


class Salvager:
    """Reads a file from end to end, whatever is in it."""

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._size = file.size()

    def pieces(self) -> Iterator[Salvaged | Gap]:
        """Give transactions and gaps in the order of the file, without an overlap."""
        position, tid = FIRST_TRANSACTION, 0
        while position < self._size:
            found = self._transaction(position, tid)
            if found is None:
                end = self._next(position + 1, tid)
                yield self._gap(position, end)
                position = end
            else:
                yield found
                tid, position = found.tid, found.end

    def _gap(self, start: int, end: int) -> Gap:
        header = self._header(start)
        if header is None:
            return Gap(start, end, None, unfinished=end == self._size)
        tid, length, status, _ = header
        beyond = start + length + LENGTH.size > self._size
        unfinished = end == self._size and (status == VOTED or beyond) and status in KNOWN
        return Gap(start, end, tid, tuple(self._oids(start, end)), unfinished)

    def _oids(self, start: int, end: int) -> Iterator[int]:
        """Give the ids of objects in records that say they belong to a transaction there."""
        tloc_offset, last = 24, 0
        for base in range(start, end, BLOCK):
            block = self._read(base, min(BLOCK + RECORD.size, end - base))
            if len(block) < RECORD_HEADER_SIZE:
                return
            numbers = _numbers(block)
            for offset in np.flatnonzero(numbers == start).tolist():
                place = base + offset - tloc_offset
                if place > max(start, last):
                    last = place
                    (oid,) = LENGTH.unpack(self._read(place, LENGTH.size))
                    yield oid

    def _transaction(self, start: int, last: int) -> Salvaged | None:
        header = self._header(start)
        if header is None:
            return None
        tid, _, status, sizes = header
        records = start + TRANSACTION_HEADER.size + sum(sizes)
        own = self._own_tid(tid, last, start, records)
        if own is None:
            return None
        end, repaired = self._end(start, records, own, header[1])
        if end is None or (status == VOTED and end + LENGTH.size == self._size):
            return None
        if own != tid:
            repaired.append("id")
        if status not in KNOWN or status == VOTED:
            repaired.append("status")
            status = NORMAL
        texts = self._texts(start, sizes)
        found = Salvaged(own, status, texts, start, end + LENGTH.size, repaired=repaired)
        self._records(found, records, end)
        return found

    def _header(self, start: int) -> tuple[int, int, bytes, tuple[int, int, int]] | None:
        raw = self._read(start, TRANSACTION_HEADER.size)
        if len(raw) < TRANSACTION_HEADER.size:
            return None
        tid, length, status, *sizes = TRANSACTION_HEADER.unpack(raw)
        return int.from_bytes(tid, "big"), length, status, tuple(sizes)

    def _own_tid(self, tid: int, last: int, start: int, records: int) -> int | None:
        """Return what the header and the records agree on, else what fits the one before."""
        record = self._record(records)
        if record is not None and record[3] == start and record[1] != tid:
            following = self._record_after(records, record)
            if last < record[1] < LATEST and (following is None or following[1] == record[1]):
                return record[1]
        return tid if last < tid < LATEST else None

    def _record_after(self, position: int, record: tuple[int, ...]) -> tuple[int, ...] | None:
        after = position + (RECORD_HEADER_SIZE + record[5] if record[5] else RECORD.size)
        found = self._record(after)
        return found if found is not None and found[3] == record[3] else None

    def _end(self, start: int, records: int, tid: int, length: int) -> tuple[int | None, list[str]]:
        """Return where the second length stands, by the two lengths or the one that leads on."""
        told = start + length
        if records <= told and self._number(told) == length:
            return told, []
        if records <= told and self._leads_on(told + LENGTH.size, tid):
            return told, ["second length"]
        position = records
        while (record := self._record(position)) is not None and (record[1], record[3]) == (
            tid,
            start,
        ):
            position += RECORD_HEADER_SIZE + record[5] if record[5] else RECORD.size
        if position > records and self._number(position) == position - start:
            return position, ["length"]
        return None, []

    def _leads_on(self, position: int, tid: int) -> bool:
        return position == self._size or self._is_transaction(position, tid)

    def _is_transaction(self, start: int, last: int) -> bool:
        """Tell whether a transaction begins there, by what no other bytes have."""
        header = self._header(start)
        if header is None or not last < header[0] < LATEST:
            return False
        _, length, _, sizes = header
        records, end = start + TRANSACTION_HEADER.size + sum(sizes), start + length
        if records > end or self._number(end) != length:
            return False
        record = self._record(records)
        if records == end or record is None:
            after = end + LENGTH.size
            return after == self._size or self._number(after + LENGTH.size) is not None
        # Data may hold a copy of a Data.fs: only true records name their own place.
        return record[3] == start

    def _next(self, position: int, last: int) -> int:
        """Return where the next transaction begins, the end of the file if there is none."""
        for base in range(position, self._size, BLOCK):
            block = self._read(base, BLOCK + TRANSACTION_HEADER.size)
            if len(block) < TRANSACTION_HEADER.size:
                break
            count = min(len(block) - TRANSACTION_HEADER.size + 1, BLOCK)
            numbers = _numbers(block)
            tids, lengths = numbers[:count], numbers[8 : 8 + count]
            room = np.uint64(self._size - base)
            likely = (tids > last) & (tids < LATEST) & (lengths < room)
            likely &= lengths >= TRANSACTION_HEADER.size
            for offset in np.flatnonzero(likely).tolist():
                if self._is_transaction(base + offset, last):
                    return base + offset
        return self._size

    def _records(self, found: Salvaged, position: int, end: int) -> None:
        while position < end:
            after = self._add(found, position, end)
            if after is None:
                after = self._next_record(found, position + 1, end)
                self._mend(found, position, after)
            position = after

    def _add(self, found: Salvaged, position: int, end: int) -> int | None:
        """Add the record there and return where it ends; None if it is not whole."""
        record = self._record(position)
        if record is None:
            return None
        oid, tid, previous, start, version, length, back = record
        after = position + (RECORD_HEADER_SIZE + length if length else RECORD.size)
        own = (tid, start, version) == (found.tid, found.start, 0)
        if not own or previous >= position or after > end or not self._fits(found, after, end):
            return None
        if not length and back >= position:
            return None
        data = position + RECORD_HEADER_SIZE if length else 0
        found.records.append(Kept(oid, position, data, length, 0 if length else back))
        return after

    def _fits(self, found: Salvaged, position: int, end: int) -> bool:
        if position == end:
            return True
        record = self._record(position)
        return record is not None and (record[1] == found.tid or record[3] == found.start)

    def _mend(self, found: Salvaged, position: int, after: int) -> None:
        """Keep a record of which one field is wrong, else count it as lost."""
        record = self._record(position)
        if record is None:
            found.lost.append(LostRecord(None, position))
            return
        oid, tid, _, start, version, length, _ = record
        room = after - position - RECORD_HEADER_SIZE
        right = [tid == found.tid, start == found.start, version == 0, length == room]
        fits = room > 0 and sum(right) >= len(right) - 1
        # A wrong length may have swallowed the record after it.
        if fits and (length == room or self._is_data(position + RECORD_HEADER_SIZE, room)):
            found.records.append(Kept(oid, position, position + RECORD_HEADER_SIZE, room, 0))
            found.repaired.append(f"record at {position}")
            return
        found.lost.append(
            LostRecord(oid if tid == found.tid or start == found.start else None, position)
        )

    def _is_data(self, position: int, size: int) -> bool:
        """Tell whether these bytes are the two pickles of a record, neither more nor less."""
        stream = BytesIO(self._read(position, size))
        try:
            for _ in range(PICKLES):
                for _ in genops(stream):  # takes them apart, and runs nothing
                    pass
        except Exception:  # whatever it finds wrong with what are no pickles
            return False
        return stream.tell() == size

    def _next_record(self, found: Salvaged, position: int, end: int) -> int:
        wanted = found.tid.to_bytes(8, "big")
        for base in range(position, end, BLOCK):
            block = self._read(base, min(BLOCK + RECORD.size, end - base))
            at = block.find(wanted)
            while at >= 0:
                place = base + at - LENGTH.size
                record = self._record(place)
                if place >= position and record and record[3] == found.start and not record[4]:
                    return place
                at = block.find(wanted, at + 1)
        return end

    def _texts(self, start: int, sizes: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
        position = start + TRANSACTION_HEADER.size
        user, description, extension = sizes
        return (
            self._read(position, user),
            self._read(position + user, description),
            self._read(position + user + description, extension),
        )

    def _record(self, position: int) -> tuple[int, ...] | None:
        raw = self._read(position, RECORD.size)
        return RECORD.unpack(raw) if len(raw) == RECORD.size else None

    def _number(self, position: int) -> int | None:
        raw = self._read(position, LENGTH.size)
        return int.from_bytes(raw, "big") if len(raw) == LENGTH.size else None

    def _read(self, position: int, size: int) -> bytes:
        """Return what there is of that many bytes, nothing beyond the file."""
        if not 0 <= position < self._size:
            return b""
        return self._file.read(min(size, self._size - position), position)


def _numbers(block: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Return the eight bytes at each offset as a number."""
    count = len(block) - LENGTH.size + 1
    return np.ndarray((count,), ">u8", block, strides=(1,)).astype(np.uint64)
