"""The current record of every object: which of all its records a pack keeps."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .columns import Unsigned, fitting, zeros
from .file_order import order_of, parts, up_to
from .format import LARGEST_FILE, LENGTH, RECORD, RECORD_HEADER
from .index import Index, UnusableIndexError
from .reader import DataFile
from .scan_memory import ScanMemory

Numbers = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]

WINDOW = 1 << 22
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


def _empty() -> Unsigned:
    return np.zeros(0, np.uint32)


@dataclass
class Columns:
    """One row an object, sorted by id: 16 bytes each, and 4 more for a file of more than 4 GiB.

    `data` is where its data begins, 0 for none, `sizes` what its record takes after a pack, 0 if it
    has no current record, and `transactions` the number of the record's transaction in the file.
    """

    oids: Unsigned = field(default_factory=_empty)
    data: Unsigned = field(default_factory=_empty)
    sizes: Unsigned = field(default_factory=_empty)
    transactions: Unsigned = field(default_factory=_empty)


class CurrentRecords:
    """Collects records in the order of the file; the last one of an object is its current one.

    What is `added` is four numbers a record, as the four columns have them.
    """

    def __init__(self, columns: Columns | None = None, memory: ScanMemory | None = None) -> None:
        self.columns = columns or Columns()
        self.added = array("Q")
        self._memory = memory or ScanMemory()

    def merge(self) -> None:
        """Let what was added since the last time replace the older records of the same objects."""
        if not self.added:
            return
        added = np.frombuffer(self.added, np.uint64).reshape(-1, 4)
        self.added = array("Q")
        added = added[np.argsort(added[:, 0], kind="stable")]
        is_last = np.append(added[1:, 0] != added[:-1, 0], True)
        self._put(added[is_last])

    def _put(self, added: Numbers) -> None:
        """Put rows where they belong, in place of those that are there of the same objects."""
        oids = fitting(self._memory, self.columns.oids, int(added[-1, 0]))
        at = np.searchsorted(oids, added[:, 0].astype(oids.dtype))
        is_known = np.zeros(len(at), bool)
        inside = at < len(oids)
        is_known[inside] = oids[at[inside]] == added[inside, 0]
        new = added[~is_known]
        places = at[~is_known] + np.arange(len(new))
        # A column after the other, so that no more than one of them is in memory twice.
        for number, name in enumerate(vars(self.columns)):
            most = int(added[:, number].max())
            column = fitting(self._memory, getattr(self.columns, name), most)
            column[at[is_known]] = added[is_known, number]
            if len(new):
                column = self._inserted(column, places, new[:, number])
            setattr(self.columns, name, column)

    def _inserted(self, column: Unsigned, places: Rows, new: Numbers) -> Unsigned:
        """Return the column with new numbers, each at its place in the column that comes of it."""
        longer = zeros(self._memory, len(column) + len(new), column.dtype)
        for part in parts(len(longer)):
            first, last = np.searchsorted(places, (part.start, part.stop))
            is_new = np.zeros(part.stop - part.start, bool)
            is_new[places[first:last] - part.start] = True
            longer[part][is_new] = new[first:last]
            longer[part][~is_new] = column[part.start - first : part.stop - last]
        return longer


class Sweep:
    """Reads the header of each record that an index names, and checks that it is the object's.

    `starts` and `ends` say where each transaction begins and where its records end. `columns` is
    what comes of it; it takes the places of the index, for which nobody has a use after that.
    """

    def __init__(
        self,
        file: DataFile,
        index: Index,
        starts: "array[int]",
        ends: "array[int]",
        memory: ScanMemory,
    ) -> None:
        self._file = file.with_window(WINDOW)
        window = np.frombuffer(self._file.window, np.uint8)
        self._headers = np.lib.stride_tricks.sliding_window_view(window, RECORD.size)
        self._end = index.end
        self._starts = np.frombuffer(starts, np.uint64)
        self._ends = np.frombuffer(ends, np.uint64)
        self._memory = memory
        sizes, transactions = (zeros(memory, len(index.oids), np.uint32) for _ in range(2))
        self.columns = Columns(index.oids, index.positions, sizes, transactions)

    def steps(self) -> Iterator[None]:
        """Read all, giving way after each window."""
        columns = self.columns
        # So that what it comes to, a few bytes on, has room as well.
        columns.data = fitting(self._memory, columns.data, self._end)
        order = yield from order_of(columns.data, self._memory)
        done = 0
        while done < len(order):
            base = int(columns.data[order[done]])
            self._file.load(base)
            inside = up_to(columns.data, order, done, base + self._file.filled - RECORD.size)
            if inside == done:
                raise self.unusable("a record is beyond the end of the Data.fs")
            self._gather(order[done:inside])
            done = inside
            yield

    def check_end(self, position: int, last_filled: int) -> None:
        """Refuse an index that does not go up to `position`, or leaves out what is before it."""
        if position != self._end:
            raise self.unusable("it ends where no transaction does")
        # Whatever the last transaction with records holds is current.
        transactions = self.columns.transactions
        last = int(transactions.max()) if len(transactions) else -1
        if last != last_filled:
            raise self.unusable("it leaves out the last transaction before its end")

    def unusable(self, what: str) -> UnusableIndexError:
        return UnusableIndexError(f"the index of {self._file.path} is not used: {what}")

    def _gather(self, rows: Places) -> None:
        """Take what the headers of these rows say, which are in the window."""
        base, columns = self._file.base, self.columns
        offsets = columns.data[rows].astype(np.int64) - base
        headers = self._headers[offsets].view(HEADER)[:, 0]
        starts = headers["transaction"].astype(np.uint64)
        numbers = np.searchsorted(self._starts, starts)
        numbers[numbers == len(self._starts)] = 0
        if (
            not len(self._starts)
            or np.any(headers["oid"] != columns.oids[rows])
            or np.any(headers["version"] != 0)
            or np.any(headers["length"] >= LARGEST_FILE)
            or np.any(self._starts[numbers] != starts)
        ):
            raise self.unusable("it names a place where no record of the object is")
        lengths = headers["length"].astype(np.int64)
        after = offsets + RECORD_HEADER.size + np.where(lengths, lengths, LENGTH.size)
        self._check_length(after, starts, self._ends[numbers])
        sizes = lengths + RECORD_HEADER.size
        columns.sizes = fitting(self._memory, columns.sizes, int(sizes.max()))
        columns.transactions[rows] = numbers
        columns.sizes[rows] = sizes
        columns.data[rows] += columns.data.dtype.type(RECORD_HEADER.size)
        for row in np.flatnonzero(lengths == 0):
            self._resolve(int(rows[row]), base + int(offsets[row]), headers[row])

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

    def _resolve(self, row: int, position: int, header: np.void) -> None:
        """Find the data of a record with a back pointer; one without has no size."""
        back = int(header["back"])
        if back >= position:
            raise self._file.damaged(position, "a back pointer that does not point back")
        data, size = self._file.resolve(int(header["oid"]), back)
        self.columns.sizes = fitting(self._memory, self.columns.sizes, size)
        self.columns.data[row], self.columns.sizes[row] = data, size
