"""What the current records hold: bytes by class, and what no reference leads to.

No pickle is run. A record is two of them, of which the first is the class, or a tuple of it and
arguments; depending on the age of the record, the class is a GLOBAL, two strings with STACK_GLOBAL,
or a tuple of them.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .current_records import Columns, Places, Rows
from .format import RECORD_HEADER
from .reader import DataFile
from .references import REFERENCE_LENGTH, References
from .state import Findings

ROOT = 0
CLASSES = 20
MOST_CLASSES = 10_000
WINDOW = 1 << 21
OTHER = "other"  # what a class goes by that has no name, or none that is shown

PROTOCOL = 0x80
FRAME = 0x95
MARK = 0x28
GLOBAL = 0x63
SHORT_STRINGS = b"UC\x8c"
LONG_STRINGS = b"TBX"
MEMOS = {0x71: 2, 0x72: 5, 0x94: 1}  # BINPUT, LONG_BINPUT, MEMOIZE with their arguments
LONGEST_NAME = 1000
LONGEST_CLASS_PART = 2 * LONGEST_NAME + 50


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
            ends = offsets + self._columns.sizes[part].astype(np.int64) - RECORD_HEADER.size
            whole = begun - self.done - int(ends[-1] > file.filled)
            if whole:
                self._read(file, offsets[:whole], ends[:whole], part[:whole])
            else:
                yield from self._read_large(file, base, base + int(ends[0]), part)
            self.done += max(whole, 1)
            yield
        yield from self._reach()

    def findings(self, begun: float) -> Findings:
        """Return what was found by a scan that had `begun` then: the largest classes by name."""
        by_size = sorted(self.classes.items(), key=lambda item: (-item[1], item[0]))
        named = [(name, size) for name, size in by_size if name != OTHER][:CLASSES]
        rest = sum(self.classes.values()) - sum(size for _, size in named)
        return Findings(begun, {**dict(named), OTHER: rest}, self.unreachable)

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


def class_name(data: bytes) -> str | None:
    """Return module and name of the class, None if the data do not begin as ZODB writes them.

    `data` need not go beyond the first LONGEST_CLASS_PART bytes.
    """
    position = _begin(data)
    if data[position : position + 1] == b"c":
        module, _, rest = data[position + 1 : position + LONGEST_CLASS_PART].partition(b"\n")
        name, end, _ = rest.partition(b"\n")
        return _dotted(module, name) if end else None
    strings = []
    for _ in range(2):
        string, position = _string(data, position)
        if string is None:
            return None
        strings.append(string)
    return _dotted(*strings)


def _begin(data: bytes) -> int:
    position = 2 if data[:1] == bytes([PROTOCOL]) else 0
    if data[position : position + 1] == bytes([FRAME]):
        position += 9
    while data[position : position + 1] == bytes([MARK]):
        position += 1
    return position


def _string(data: bytes, position: int) -> tuple[bytes | None, int]:
    opcode = data[position : position + 1]
    if opcode and opcode in SHORT_STRINGS:
        begin = position + 2
    elif opcode and opcode in LONG_STRINGS:
        begin = position + 5
    else:
        return None, position
    end = begin + int.from_bytes(data[position + 1 : begin], "little")
    if end > len(data):
        return None, position
    after = end + MEMOS.get(data[end], 0) if end < len(data) else end
    return data[begin:end], after


def _dotted(module: bytes, name: bytes) -> str | None:
    if not 0 < len(module) <= LONGEST_NAME or not 0 < len(name) <= LONGEST_NAME:
        return None
    return f"{module.decode(errors='replace')}.{name.decode(errors='replace')}"
