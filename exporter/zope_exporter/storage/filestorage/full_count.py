"""All transactions of a Data.fs and the current record of every object, in small steps.

Where there is an index, only the transactions' headers and the current records' headers are read.
"""

import os
from array import array
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

import numpy as np

from .current_records import Columns, CurrentRecords, Sweep
from .datafile import TornTailError, opened
from .file_order import parts
from .format import (
    FIRST_TRANSACTION,
    LENGTH,
    NORMAL,
    PACKED,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    TRANSACTION_OFFSET,
    UNDONE,
    Transaction,
)
from .index import read_index
from .reader import HEADERS_ONLY, DataFile
from .scan_memory import ScanMemory
from .totals import Totals

TRANSACTIONS_A_STEP = 1000
RECORDS_A_STEP = 4000
RECORDS_A_MERGE = 1 << 18
TOLD_AT_ONCE = 1 << 20
# The length of a transaction once more, and the header of the next one.
_END_AND_HEADER = Struct(LENGTH.format + TRANSACTION_HEADER.format.removeprefix(">"))
_PLAIN = (NORMAL, PACKED)


@dataclass
class FullCount:
    """What is counted so far, up to `position`, after the transaction `tid` that began at `start`.

    `starts` and `overheads` have an entry for each transaction that was not undone.
    """

    position: int = FIRST_TRANSACTION
    tid: int = 0
    start: int = 0
    packed: int = 0
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    overheads: "array[int]" = field(default_factory=lambda: array("I"))
    current: CurrentRecords = field(default_factory=CurrentRecords)
    merged_at_once: int = RECORDS_A_MERGE

    @property
    def columns(self) -> Columns:
        """The current records up to the last merge."""
        return self.current.columns

    def steps(self, file: DataFile) -> Iterator[None]:
        """Count on to the last committed transaction, giving way after each step."""
        for transaction in file.transactions(self.position, self.tid):
            if transaction.status != UNDONE:
                yield from self._add(file, transaction)
            self.passed(transaction)
        self.current.merge()

    def headers(self, file: DataFile, until: int, ends: "array[int]") -> Iterator[None]:
        """Count the transactions that begin before a place, from their headers alone.

        `ends` is given where the records of each end that was not undone.
        """
        reader = file.with_window(HEADERS_ONLY)
        while self.position < until:
            self._plain_headers(file, until, ends)
            yield
            # One that is not as most are is left to the reader, which tells what is wrong with it.
            transaction = next(reader.transactions(self.position, self.tid), None)
            if transaction is None or transaction.start >= until:
                return
            if transaction.status != UNDONE:
                ends.append(transaction.end - LENGTH.size)
            self.passed(transaction)

    def _plain_headers(self, file: DataFile, until: int, ends: "array[int]") -> None:
        """Pass some transactions, up to one that is not committed, undone, or contradicts itself.

        One read gives the end of a transaction and the header of the next. This loop is what the
        count of a file of many small commits takes: it calls nothing that it could do without.
        """
        unpack, number, pread = _END_AND_HEADER.unpack_from, LENGTH.unpack_from, os.pread
        position, tid, packed, last = self.position, self.tid, self.packed, self.start
        descriptor, told, until = file.descriptor, 0, min(until, file.size())
        found = bytes(LENGTH.size) + pread(descriptor, HEADERS_ONLY, position)
        for _ in range(TRANSACTIONS_A_STEP):
            if position >= until or len(found) < _END_AND_HEADER.size:
                break
            _, own_tid, length, status, user, description, extension = unpack(found)
            header = TRANSACTION_HEADER.size + user + description + extension
            pointer, end = LENGTH.size + header + TRANSACTION_OFFSET, position + length
            if (
                own_tid <= tid
                or status not in _PLAIN
                or header > length
                or end >= until
                or pointer + LENGTH.size > len(found)
                or (header < length and number(found, pointer)[0] != position)
            ):
                break
            if end > told:
                told = end + TOLD_AT_ONCE
                file.reads(end, 2 * TOLD_AT_ONCE)
            found = pread(descriptor, LENGTH.size + HEADERS_ONLY, end)
            if len(found) < LENGTH.size or number(found)[0] != length:
                break
            self.starts.append(position)
            self.overheads.append(header + LENGTH.size)
            ends.append(end)
            if status == PACKED:
                packed = own_tid
            tid, last, position = own_tid, position, end + LENGTH.size
        self.position, self.tid, self.start, self.packed = position, tid, last, packed

    def last_filled(self, ends: "array[int]") -> int:
        """Return the number of the last transaction that has records, -1 for none."""
        records = np.frombuffer(self.starts, np.uint64) + np.frombuffer(self.overheads, np.uint32)
        filled = np.flatnonzero(records < np.frombuffer(ends, np.uint64) + np.uint64(LENGTH.size))
        return int(filled[-1]) if len(filled) else -1

    def _add(self, file: DataFile, transaction: Transaction) -> Iterator[None]:
        number, added = len(self.starts), self.current.added
        step = 4 * min(RECORDS_A_STEP, self.merged_at_once)
        for oid, position, _, length, back in file.records(transaction):
            if length:
                data = position + RECORD_HEADER.size
                added.extend((oid, data, RECORD_HEADER.size + length, number))
            else:
                added.extend((oid, *file.resolve(oid, back), number))
            if not len(added) % step:
                if len(added) >= 4 * self.merged_at_once:
                    self.current.merge()
                    added = self.current.added
                yield

    def totals(self) -> Totals:
        """Return the totals, from which the count goes on commit by commit."""
        columns = self.columns
        live = np.zeros(len(self.starts), np.uint32)
        for part in parts(len(columns.oids)):
            holding = columns.transactions[part][columns.sizes[part] > 0]
            numbers, counts = np.unique(holding, return_counts=True)
            live[numbers] += counts.astype(np.uint32)
        starts = np.frombuffer(self.starts, np.uint64)[live > 0]
        overheads = np.frombuffer(self.overheads, np.uint32)[live > 0]
        kept = int(columns.sizes.sum(dtype=np.uint64)) + int(overheads.sum(dtype=np.uint64))
        return Totals(
            position=self.position,
            tid=self.tid,
            start=self.start,
            transactions=len(self.starts),
            objects=len(columns.oids),
            kept=FIRST_TRANSACTION + kept,
            packed=self.packed,
            starts=array("Q", starts.tobytes()),
            live=array("I", live[live > 0].tobytes()),
        )

    def passed(self, transaction: Transaction) -> None:
        if transaction.status != UNDONE:
            self.starts.append(transaction.start)
            self.overheads.append(transaction.overhead)
        if transaction.status == PACKED:
            self.packed = transaction.tid
        self.tid, self.start, self.position = transaction.tid, transaction.start, transaction.end


def indexed(file: DataFile, path: Path, memory: ScanMemory) -> Generator[None, None, FullCount]:
    """Count what an index file covers, from its current records alone.

    Raises UnusableIndexError for an index that is not one of this file, and DamagedError.
    """
    index = read_index(path, memory)
    full_count, ends = FullCount(), array("Q")
    yield from full_count.headers(file, index.end, ends)
    sweep = Sweep(file, index, full_count.starts, ends, memory)
    yield from sweep.steps()
    sweep.check_end(full_count.position, full_count.last_filled(ends))
    full_count.current = CurrentRecords(sweep.columns, memory)
    return full_count


def walk(path: Path, seen: Callable[[int], object] = lambda _: None) -> FullCount:
    """Read the headers of all transactions and records; `seen` is given the bytes passed.

    Raises DamagedError, and TornTailError if the last transaction is not whole.
    """
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        full_count, passed = FullCount(), 0
        for _ in full_count.steps(file):
            seen(full_count.position - passed)
            passed = full_count.position
        size = file.size()
        seen(size - passed)
        if full_count.position != size:
            raise TornTailError(
                f"{path} has {size - full_count.position} bytes after its last whole transaction,"
                f" at byte {full_count.position}",
                path.stat().st_mtime,
            )
        return full_count
