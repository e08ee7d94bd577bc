"""What a Data.fs holds and what a pack would leave of it, carried on from commit to commit."""

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from .format import FIRST_TRANSACTION, PACKED, RECORD_HEADER, UNDONE, Transaction
from .reader import DamagedError, DataFile


@dataclass
class Totals:
    """The totals up to `position`, after the transaction `tid` that starts at `start`.

    `kept` is the size of the file after a pack without garbage collection, `packed` the last
    transaction that a pack has gone over, 0 for none. Each transaction that a pack would keep has
    its place in `starts` and the number of its current records in `live`: 12 bytes.
    """

    position: int = FIRST_TRANSACTION
    tid: int = 0
    start: int = 0
    transactions: int = 0
    objects: int = 0
    kept: int = FIRST_TRANSACTION
    packed: int = 0
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    live: "array[int]" = field(default_factory=lambda: array("I"))

    @property
    def superseded(self) -> int:
        """Bytes that a pack without garbage collection frees."""
        return self.position - self.kept

    def add(self, file: DataFile, transaction: Transaction) -> None:
        """Count the transaction at `position`; after a DamagedError nothing has changed."""
        if transaction.status != UNDONE:
            change = _Change(file, transaction)
            self._apply(transaction, change, self._emptied(file, change.taken))
            self.transactions += 1
        if transaction.status == PACKED:
            self.packed = transaction.tid
        self.tid, self.start, self.position = transaction.tid, transaction.start, transaction.end

    def _emptied(self, file: DataFile, taken: Counter[int]) -> int:
        """Return the overhead of the transactions that lose their last current record."""
        freed = 0
        for start, count in taken.items():
            place = bisect_left(self.starts, start)
            if place == len(self.starts) or self.starts[place] != start:
                raise file.damaged(start, "a record was replaced where no transaction starts")
            if self.live[place] < count:
                raise file.damaged(start, "a record was replaced twice")
            if self.live[place] == count:
                freed += file.transaction(start).overhead
        return freed

    def _apply(self, transaction: Transaction, change: "_Change", freed: int) -> None:
        self.objects += change.created
        self.kept += change.bytes - freed
        for start, count in change.taken.items():
            self.live[bisect_left(self.starts, start)] -= count
        if change.live:
            self.kept += transaction.overhead
            self.starts.append(transaction.start)
            self.live.append(change.live)


class _Change:
    """What one transaction does to the records before it.

    `taken` says how many current records it takes from which transaction.
    """

    def __init__(self, file: DataFile, transaction: Transaction) -> None:
        self.created = 0
        self.taken: Counter[int] = Counter()
        self._file = file
        sizes: dict[int, int] = {}
        freed = 0
        for oid, position, previous, length, back in file.records(transaction):
            # The second of two records of an object has the same previous record as the first.
            if oid not in sizes:
                if previous:
                    freed += self._supersede(position, previous, oid)
                else:
                    self.created += 1
            sizes[oid] = RECORD_HEADER.size + length if length else file.resolve(oid, back)[1]
        self.bytes = sum(sizes.values()) - freed
        self.live = sum(size > 0 for size in sizes.values())

    def _supersede(self, position: int, previous: int, oid: int) -> int:
        """Return the size that the previous record of an object had in a packed file."""
        try:
            start, length, back = self._file.pointed(previous, oid)
        except DamagedError as error:
            raise self._file.damaged(position, f"wrong previous record ({error})") from error
        size = RECORD_HEADER.size + length if length else self._file.resolve(oid, back)[1]
        if size:
            self.taken[start] += 1
        return size
