"""The full count of a Data.fs, in steps of some milliseconds, or all at once (`walk`).

Where there is an index, only the transactions' headers and the current records' headers are read.
"""

from array import array
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .current_records import Columns, CurrentRecords, Sweep
from .datafile import TornTailError, opened
from .format import FIRST_TRANSACTION, LENGTH, PACKED, RECORD_HEADER, UNDONE, Transaction
from .index import read_index
from .reader import HEADERS_ONLY, DataFile
from .totals import Totals

TRANSACTIONS_A_STEP = 1000
RECORDS_A_STEP = 4000
RECORDS_A_MERGE = 1 << 18


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
        holding = columns.transactions[columns.sizes > 0]
        live = np.bincount(holding, minlength=len(self.starts)).astype(np.uint32)
        starts = np.frombuffer(self.starts, np.uint64)[live > 0]
        overheads = np.frombuffer(self.overheads, np.uint32)[live > 0]
        kept = int(columns.sizes.sum()) + int(overheads.sum(dtype=np.uint64))
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


def indexed(file: DataFile, path: Path) -> Generator[None, None, FullCount]:
    """Count what an index file covers, from its current records alone.

    Raises UnusableIndexError for an index that is not one of this file, and DamagedError.
    """
    index = read_index(path)
    full_count = FullCount()
    ends, last_filled = array("Q"), -1
    headers = DataFile(file.path, file.descriptor, HEADERS_ONLY)
    for number, transaction in enumerate(headers.transactions(full_count.position, full_count.tid)):
        if transaction.start >= index.end:
            break
        if transaction.status != UNDONE:
            ends.append(transaction.end - LENGTH.size)
            if transaction.records < transaction.end - LENGTH.size:
                last_filled = len(full_count.starts)
        full_count.passed(transaction)
        if number % TRANSACTIONS_A_STEP == 0:
            yield
    sweep = Sweep(file, index, full_count.starts, ends)
    yield from sweep.steps()
    sweep.check_end(full_count.position, last_filled)
    columns = Columns(index.oids, sweep.data, sweep.sizes, sweep.transactions)
    full_count.current = CurrentRecords(columns)
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
