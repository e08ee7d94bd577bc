"""How many bytes the records of each class take."""

from collections import defaultdict
from hashlib import sha512

import numpy as np
import numpy.typing as npt

from .class_names import LONGEST_CLASS_PART, OTHER, class_name

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

MOST_CLASSES = 10_000

# Nearly all records begin with a class as two lines, which end within so many bytes.
_LONGEST_LINES = 64
_NEWLINE = ord("\n")
# By the place of the last byte that is kept of them, which bits of their words are kept.
_KEPT = np.ascontiguousarray(
    (np.tri(_LONGEST_LINES, dtype=np.uint8) * np.uint8(0xFF)).view(np.uint64).T
)
# Any eight numbers; numpy.random, which has some, takes megabytes for good.
_FACTORS = np.frombuffer(sha512(b"class").digest(), np.uint64)[:, None]


class ClassBytes:
    """Sums up records by the classes that they name; `sums` has those that were added and `taken`.

    Lines that a record was found to name a class by are known from then on, and looked up for all
    the records of a window at once.
    """

    def __init__(self) -> None:
        self.sums: dict[str, int] = defaultdict(int)
        self._new: dict[str, int] = defaultdict(int)
        self._names: dict[bytes, str] = {}  # by lines
        self._sort()

    def take(self) -> None:
        """Count what was added since the last time."""
        for name, size in self._new.items():
            self.sums[name] += size
        self._new.clear()

    def add(self, data: Bytes, starts: Rows, ends: Rows, sizes: Rows) -> list[int]:
        """Add records, each from a start to an end; return the numbers of those without a class."""
        is_left = starts + _LONGEST_LINES > len(data)
        fit = np.flatnonzero(~is_left)
        lines, is_whole = _lines(data, starts[fit], ends[fit])
        is_left[fit] = ~self._add_known(lines, is_whole, sizes[fit])
        nameless, known = [], len(self._names)
        for number in np.flatnonzero(is_left).tolist():
            begin, end = int(starts[number]), int(ends[number])
            record = data[begin : min(end, begin + LONGEST_CLASS_PART)].tobytes()
            if not self.add_one(record, int(sizes[number])):
                nameless.append(number)
        if len(self._names) > known:
            self._sort()
        return nameless

    def add_one(self, record: bytes, size: int) -> bool:
        """Add one record, of which only the beginning is needed; tell whether it names a class."""
        name = class_name(record)
        if name is None:
            self._new[OTHER] += size
            return False
        if name not in self.sums and name not in self._new:
            name = name if len(self.sums) + len(self._new) < MOST_CLASSES else OTHER
        self._new[name] += size
        end = record.find(b"\n", record.find(b"\n") + 1) + 1
        lines = record[:end]
        is_known = len(lines) > _LONGEST_LINES or len(self._names) >= MOST_CLASSES
        if not is_known and class_name(lines) is not None:
            self._names[lines] = name
        return True

    def _sort(self) -> None:
        """Put the known lines in order of their keys."""
        known = [lines.ljust(_LONGEST_LINES, b"\0") for lines in self._names]
        lines = np.frombuffer(b"".join(known), np.uint64).reshape(-1, len(_FACTORS)).T
        keys = _keys(lines)
        order = np.argsort(keys)
        self._keys, self._lines = keys[order], lines[:, order]
        names = list(self._names.values())
        self._ordered = [names[number] for number in order.tolist()]

    def _add_known(self, lines: Numbers, is_whole: Flags, sizes: Rows) -> Flags:
        """Add the records with known lines; tell which these are."""
        if not len(self._keys):
            return np.zeros(len(is_whole), bool)
        at = np.searchsorted(self._keys, _keys(lines))
        at[at == len(self._keys)] = 0
        is_known: Flags = is_whole & (self._lines[:, at] == lines).all(0)
        totals = np.bincount(at[is_known], sizes[is_known], len(self._keys))
        for number in np.flatnonzero(totals).tolist():
            self._new[self._ordered[number]] += int(totals[number])
        return is_known


def _lines(data: Bytes, starts: Rows, ends: Rows) -> tuple[Numbers, Flags]:
    """Return the first two lines of records, with zeros after them, and which have so many.

    A column is one record: what is done to a row at a time is several times as fast.
    """
    if not len(starts):
        return np.zeros((len(_FACTORS), 0), np.uint64), np.zeros(0, bool)
    begins = np.lib.stride_tricks.sliding_window_view(data, _LONGEST_LINES)[starts]
    # A bit for each byte that is a newline, from the lowest on, and the lowest of them taken away.
    newlines = np.packbits(begins == _NEWLINE, bitorder="little").view("<u8")
    newlines &= newlines - 1
    has_two = newlines != 0
    second = np.bitwise_count(newlines ^ (newlines - 1)) - 1
    lines = begins.view(np.uint64).T & _KEPT[:, second]
    return lines, has_two & (starts + second < ends)


def _keys(lines: Numbers) -> Numbers:
    """Return a number for each; that of two may be the same."""
    return np.asarray((lines * _FACTORS).sum(0, dtype=np.uint64))
