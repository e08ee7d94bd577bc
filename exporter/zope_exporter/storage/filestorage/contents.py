"""What the current records hold: bytes by class, and what no reference leads to."""

from array import array
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .current_records import Columns, Places
from .pickles import LONGEST_CLASS_PART, OTHER, class_name
from .records import RECORD_HEADER_SIZE, DataFile
from .references import REFERENCE_LENGTH, References, Rows

ROOT = 0
MOST_CLASSES = 10_000
WINDOW = 1 << 21


class Contents:
    """Reads the data of all current records once, in the order of the file.

    `done` records are read so far. `unreachable` is what a pack with garbage collection frees
    beyond one without, None while that is unknown or where there is no root object.
    """

    def __init__(self, columns: Columns, overheads: "array[int]") -> None:
        self._columns = columns
        self._overheads = overheads
        self.references = References(columns.oids)
        self.classes: dict[str, int] = defaultdict(int)
        self.done = 0
        self.total = int(np.count_nonzero(columns.data))
        self.unreachable: int | None = None
        self._names: dict[bytes, str] = {}

    def steps(self, file: DataFile) -> Iterator[None]:
        """Read all, giving way after each window."""
        file = DataFile(file.path, file.descriptor, WINDOW)
        rows = np.flatnonzero(self._columns.data).astype(np.uint32)
        rows = rows[np.argsort(self._columns.data[rows])]
        starts = self._columns.data[rows]
        while self.done < len(rows):
            base = int(starts[self.done])
            file.load(base)
            if not file.filled:
                raise file.damaged(base, "the file ends here")
            begun = int(np.searchsorted(starts, np.uint64(base + file.filled)))
            part = rows[self.done : begun]
            offsets = (starts[self.done : begun] - np.uint64(base)).astype(np.int64)
            ends = offsets + self._columns.sizes[part].astype(np.int64) - RECORD_HEADER_SIZE
            whole = begun - self.done - int(ends[-1] > file.filled)
            if whole:
                self._read(file, offsets[:whole], ends[:whole], part[:whole])
            else:
                yield from self._read_large(file, base, base + int(ends[0]), part)
            self.done += max(whole, 1)
            yield
        yield from self._reach()

    def _read(self, file: DataFile, starts: Rows, ends: Rows, rows: Places) -> None:
        window, find, known, classes = file.window, file.window.find, self._names.get, self.classes
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            line = find(b"\n", start, start + LONGEST_CLASS_PART) + 1
            begin = bytes(window[start : find(b"\n", line, line + LONGEST_CLASS_PART) + 1])
            classes[known(begin) or self._class(window, start, end, begin)] += end - start
        data = np.frombuffer(file.window, np.uint8, file.filled)
        self.references.find(data, starts, ends, rows)

    def _read_large(self, file: DataFile, start: int, end: int, row: Places) -> Iterator[None]:
        size, name = end - start, self._class(file.window, 0, file.filled)
        at = np.zeros(1, np.int64)
        while start < end:
            file.load(start)
            part = min(file.filled, end - start)
            if not part:
                raise file.damaged(start, "the file ends here")
            data = np.frombuffer(file.window, np.uint8, part)
            self.references.find(data, at, np.array([part]), row)
            start += part if part == end - start else max(part - REFERENCE_LENGTH + 1, 1)
            yield
        self.classes[name] += size

    def _class(self, window: bytearray, start: int, end: int, begin: bytes = b"") -> str:
        """Name a class; `begin`, if it names one alone, need not be looked into again."""
        name = class_name(bytes(window[start : min(end, start + LONGEST_CLASS_PART)])) or OTHER
        if name not in self.classes and len(self.classes) >= MOST_CLASSES:
            name = OTHER
        if len(self._names) < MOST_CLASSES and class_name(begin) == name:
            self._names[begin] = name
        return name

    def _reach(self) -> Iterator[None]:
        oids = self._columns.oids
        root = int(np.searchsorted(oids, np.uint64(ROOT)))
        if root == len(oids) or oids[root] != ROOT or not self._columns.sizes[root]:
            return
        reached = yield from self.references.reachable(root)
        everything = np.ones(len(oids), bool)
        self.unreachable = self._kept(everything) - self._kept(reached)

    def _kept(self, rows: npt.NDArray[np.bool_]) -> int:
        """Return what these objects take in a packed file."""
        sizes = self._columns.sizes
        holding = np.zeros(len(self._overheads), bool)
        holding[self._columns.transactions[rows & (sizes > 0)]] = True
        overheads = np.frombuffer(self._overheads, np.uint32)[holding]
        return int(sizes[rows].sum()) + int(overheads.sum(dtype=np.uint64))
