"""The current record of every object: which of all its records a pack keeps."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .format import LARGEST_FILE, LENGTH, RECORD, RECORD_HEADER
from .index import Index, UnusableIndexError
from .reader import DataFile

Numbers = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]

WINDOW = 1 << 21
HEADER = np.dtype(
    [
        ("oid", ">u8"),
        ("tid", ">u8"),
        ("previous", ">u8"),
        ("transaction", ">u8"),
        ("version", ">u2"),
        ("length", ">u8"),
        ("back", ">u8"),
    ]
)


@dataclass
class Columns:
    """One row an object, sorted by id: 28 bytes each.

    `data` is where its data begins, 0 for none, `sizes` what its record takes after a pack, 0 if it
    has no current record, and `transactions` the number of the record's transaction in the file.
    """

    oids: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    data: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    sizes: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    transactions: Places = field(default_factory=lambda: np.zeros(0, np.uint32))


class CurrentRecords:
    """Collects records in the order of the file; the last one of an object is its current one.

    What is `added` is four numbers a record, as the four columns have them.
    """

    def __init__(self, columns: Columns | None = None) -> None:
        self.columns = columns or Columns()
        self.added = array("Q")

    def merge(self) -> None:
        """Let what was added since the last time replace the older records of the same objects."""
        if not self.added:
            return
        added = np.frombuffer(self.added, np.uint64).reshape(-1, 4)
        columns = vars(self.columns).copy()
        self.columns, self.added = Columns(), array("Q")
        oids = np.concatenate([columns.pop("oids"), added[:, 0]])
        order = np.argsort(oids, kind="stable")
        oids = oids[order]
        is_last = np.ones(len(order), bool)
        is_last[:-1] = oids[1:] != oids[:-1]
        order, oids = order[is_last], oids[is_last]
        # A column after the other, so that no more than one of them is in memory twice.
        for number, name in enumerate(("data", "sizes", "transactions"), 1):
            new = added[:, number].astype(columns[name].dtype)
            columns[name] = np.concatenate([columns[name], new])[order]
        self.columns = Columns(oids, **columns)


class Sweep:
    """Reads the header of each record that an index names, and checks that it is the object's.

    `starts` and `ends` say where each transaction begins and where its records end.
    `data`, `sizes` and `transactions` are as in Columns, in the order of the index.
    """

    def __init__(
        self, file: DataFile, index: Index, starts: "array[int]", ends: "array[int]"
    ) -> None:
        self._file = DataFile(file.path, file.descriptor, WINDOW)
        window = np.frombuffer(self._file.window, np.uint8)
        self._headers = np.lib.stride_tricks.sliding_window_view(window, RECORD.size)
        self._index = index
        self._starts = np.frombuffer(starts, np.uint64)
        self._ends = np.frombuffer(ends, np.uint64)
        count = len(index.oids)
        self.data = np.zeros(count, np.uint64)
        self.sizes = np.zeros(count, np.uint64)
        self.transactions = np.zeros(count, np.uint32)

    def steps(self) -> Iterator[None]:
        """Read all, giving way after each window."""
        order = np.argsort(self._index.positions)
        positions = self._index.positions[order]
        done = 0
        while done < len(order):
            base = int(positions[done])
            self._file.load(base)
            within = base + max(self._file.filled - RECORD.size, 0)
            after = int(np.searchsorted(positions, np.uint64(within), "right"))
            if after == done:
                raise self.unusable("a record is beyond the end of the Data.fs")
            offsets = (positions[done:after] - np.uint64(base)).astype(np.int64)
            self._gather(order[done:after], offsets)
            done = after
            yield

    def check_end(self, position: int, last_filled: int) -> None:
        """Refuse an index that does not go up to `position`, or leaves out what is before it."""
        if position != self._index.end:
            raise self.unusable("it ends where no transaction does")
        # Whatever the last transaction with records holds is current.
        last = int(self.transactions.max(initial=0)) if len(self.transactions) else -1
        if last != last_filled:
            raise self.unusable("it leaves out the last transaction before its end")

    def unusable(self, what: str) -> UnusableIndexError:
        return UnusableIndexError(f"the index of {self._file.path} is not used: {what}")

    def _gather(self, rows: Rows, offsets: Rows) -> None:
        headers = self._headers[offsets].view(HEADER)[:, 0]
        starts = headers["transaction"].astype(np.uint64)
        numbers = np.searchsorted(self._starts, starts)
        numbers[numbers == len(self._starts)] = 0
        if (
            not len(self._starts)
            or np.any(headers["oid"] != self._index.oids[rows])
            or np.any(headers["version"] != 0)
            or np.any(headers["length"] >= LARGEST_FILE)
            or np.any(self._starts[numbers] != starts)
        ):
            raise self.unusable("it names a place where no record of the object is")
        lengths = headers["length"].astype(np.int64)
        after = offsets + RECORD_HEADER.size + np.where(lengths, lengths, LENGTH.size)
        self._check_length(after, starts, self._ends[numbers])
        self.transactions[rows] = numbers
        self.sizes[rows] = lengths + RECORD_HEADER.size
        self.data[rows] = self._index.positions[rows] + np.uint64(RECORD_HEADER.size)
        for row in np.flatnonzero(lengths == 0):
            self._resolve(int(rows[row]), headers[row])

    def _check_length(self, after: Rows, starts: Numbers, ends: Numbers) -> None:
        """Refuse lengths that do not lead to the next record, or the end, of the transaction."""
        left = ends.astype(np.int64) - self._file.base - after
        inside = after + RECORD.size <= self._file.filled
        following = self._headers[after[inside & (left > 0)]].view(HEADER)[:, 0]
        if np.any(left < 0) or np.any(following["transaction"] != starts[inside & (left > 0)]):
            raise self.unusable("a data record does not fit its transaction")
        for row in np.flatnonzero(~inside & (left > 0)):
            found = self._file.read(RECORD.size, self._file.base + int(after[row]))
            if RECORD.unpack(found)[3] != starts[row]:
                raise self.unusable("a data record does not fit its transaction")

    def _resolve(self, row: int, header: np.void) -> None:
        """Find the data of a record with a back pointer; one without has no size."""
        back, position = int(header["back"]), int(self._index.positions[row])
        if back >= position:
            raise self._file.damaged(position, "a back pointer that does not point back")
        self.data[row], self.sizes[row] = self._file.resolve(int(header["oid"]), back)
