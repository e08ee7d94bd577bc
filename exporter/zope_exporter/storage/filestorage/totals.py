"""What a Data.fs holds and what a pack would leave of it, carried on from commit to commit."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping
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

    def add(self, file: DataFile, transaction: Transaction) -> Collection[int]:
        """Count the transaction at `position`; return the objects that it has written.

        After a DamagedError nothing has changed.
        """
        written: Collection[int] = ()
        if transaction.status != UNDONE:
            change = _Change(file, transaction)
            written = change.written
            taken = self._places(file, change.taken)
            self._apply(transaction, change, taken, self._emptied(file, taken))
            self.transactions += 1
        if transaction.status == PACKED:
            self.packed = transaction.tid
        self.tid, self.start, self.position = transaction.tid, transaction.start, transaction.end
        return written

    def _places(self, file: DataFile, taken: Mapping[int, int]) -> dict[int, int]:
        """Return how many records are taken by the place of their transaction in the columns."""
        starts, places = self.starts, {}
        for start, count in taken.items():
            place = bisect_left(starts, start)
            if place == len(starts) or starts[place] != start:
                raise file.damaged(start, "a record was replaced where no transaction starts")
            places[place] = count
        return places

    def _emptied(self, file: DataFile, taken: Mapping[int, int]) -> int:
        """Return the overhead of the transactions that lose their last current record."""
        freed = 0
        for place, count in taken.items():
            live = self.live[place]
            if live < count:
                raise file.damaged(self.starts[place], "a record was replaced twice")
            if live == count:
                freed += file.transaction(self.starts[place]).overhead
        return freed

    def _apply(
        self, transaction: Transaction, change: "_Change", taken: Mapping[int, int], freed: int
    ) -> None:
        self.objects += change.created
        self.kept += change.bytes - freed
        for place, count in taken.items():
            self.live[place] -= count
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
        self.taken: dict[int, int] = defaultdict(int)
        header, pointed, taken = RECORD_HEADER.size, file.pointed, self.taken
        sizes: dict[int, int] = {}
        freed = 0
        # Of all that follows commits this loop takes the most time.
        for oid, position, previous, length, back in file.records(transaction):
            # The second of two records of an object has the same previous record as the first.
            if oid not in sizes:
                if previous:
                    try:
                        start, superseded, older = pointed(previous, oid)
                    except DamagedError as error:
                        reason = f"wrong previous record ({error})"
                        raise file.damaged(position, reason) from error
                    size = header + superseded if superseded else file.resolve(oid, older)[1]
                    if size:
                        taken[start] += 1
                        freed += size
                else:
                    self.created += 1
            sizes[oid] = header + length if length else file.resolve(oid, back)[1]
        self.written = sizes.keys()
        self.bytes = sum(sizes.values()) - freed
        self.live = len(sizes) - [*sizes.values()].count(0)
