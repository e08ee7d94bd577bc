"""What the current records hold: bytes by class, and what no reference leads to."""

import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum

import numpy as np
import numpy.typing as npt

from .class_names import LONGEST_CLASS_PART, class_name
from .current_records import Columns, Places, Rows
from .format import RECORD_HEADER
from .pickle_machine import strong_references
from .reader import DataFile
from .records import ZLIB, unpacked
from .references import LONGEST_REFERENCE, References
from .state import Findings

ROOT = 0
CLASSES = 20
MOST_CLASSES = 10_000
WINDOW = 1 << 21
ROWS_AT_ONCE = 1 << 17
LARGEST_RECORD = 1 << 24  # that is held in memory, and may come of a compressed one
OTHER = "other"  # what a class goes by that has no name, or none that is shown


class Unknown(Enum):
    """Why it is not known what a pack would free."""

    ROOTLESS = "no_root"
    REFERENCES = "references"  # a pack would end with an error, or one record cannot be read
    OPAQUE = "opaque"


class Contents:
    """Reads the data of all current records once, in the order of the file.

    `done` records are read so far. `unreachable` is what a pack with garbage collection frees
    beyond one without; where that is not known, `unknown` says why. `opaque` records are none that
    ZODB writes: encrypted, or damaged.
    """

    def __init__(self, columns: Columns, overheads: "array[int]") -> None:
        self._columns = columns
        self._overheads = overheads
        self.references = References(columns.oids)
        self.classes: dict[str, int] = defaultdict(int)
        self.done = 0
        self.opaque = 0
        self.total = int(np.count_nonzero(columns.data))
        self.unreachable: int | None = None
        self.unknown: Unknown | None = None
        self._names: dict[bytes, str] = {}
        # Of the window under way: it is read again if the scan is taken up from what is kept.
        self._read_bytes: dict[str, int] = defaultdict(int)
        self._read_opaque = 0
        self._nameless: set[int] = set()  # where they begin, until they have been gone through

    def steps(self, file: DataFile) -> Iterator[None]:
        """Read all, giving way after each window."""
        yield from self._read_all(file)  # whose order of reading is forgotten before the rest
        yield from self._reach()

    def _read_all(self, file: DataFile) -> Iterator[None]:
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
                yield from self._read(file, offsets[:whole], ends[:whole], part[:whole])
            else:
                yield from self._read_large(file, base, base + int(ends[0]), part)
            self._count(max(whole, 1))
            yield

    def findings(self, begun: float) -> Findings:
        """Return what was found by a scan that had `begun` then: the largest classes by name."""
        unknown = self.unknown and self.unknown.value
        if 2 * self.opaque > self.total:
            return Findings(begun, {}, None, Unknown.OPAQUE.value)
        by_size = sorted(self.classes.items(), key=lambda item: (-item[1], item[0]))
        named = [(name, size) for name, size in by_size if name != OTHER][:CLASSES]
        rest = sum(self.classes.values()) - sum(size for _, size in named)
        return Findings(begun, {**dict(named), OTHER: rest}, self.unreachable, unknown)

    def _count(self, records: int) -> None:
        """Count what was read, which no step divides."""
        for name, size in self._read_bytes.items():
            self.classes[name] += size
        self.done += records
        self.opaque += self._read_opaque
        self._read_bytes.clear()
        self._read_opaque = 0

    def _read(self, file: DataFile, starts: Rows, ends: Rows, rows: Places) -> Iterator[None]:
        data = np.frombuffer(file.window, np.uint8, file.filled)
        is_packed = (data[starts] == ZLIB[0]) & (data[np.minimum(starts + 1, ends - 1)] == ZLIB[1])
        if is_packed.any():
            packed = zip(starts[is_packed].tolist(), ends[is_packed].tolist(), strict=True)
            records = (bytes(file.window[start:end]) for start, end in packed)
            yield from self._read_packed(records, rows[is_packed])
            starts, ends, rows = starts[~is_packed], ends[~is_packed], rows[~is_packed]
        yield from self._look(file.window, file.filled, starts, ends, rows)

    def _read_packed(self, records: Iterator[bytes], rows: Places) -> Iterator[None]:
        """Read records that are compressed, some at a time: of little can come much."""
        window, ends, held = bytearray(), [0], []
        for record, row in zip(records, rows.tolist(), strict=True):
            try:
                window += unpacked(record, LARGEST_RECORD)
            except zlib.error:
                self._take_opaque(row, len(record))
                continue
            ends.append(len(window))
            held.append(row)
            if len(window) >= WINDOW:
                yield from self._look_unpacked(window, ends, held)
                window, ends, held = bytearray(), [0], []
        if held:
            yield from self._look_unpacked(window, ends, held)

    def _look_unpacked(self, window: bytearray, ends: list[int], rows: list[int]) -> Iterator[None]:
        edges = np.array(ends, np.int64)
        held = np.array(rows, np.uint32)
        yield from self._look(window, len(window), edges[:-1], edges[1:], held)

    def _look(
        self, window: bytearray, filled: int, starts: Rows, ends: Rows, rows: Places
    ) -> Iterator[None]:
        find, known, classes = window.find, self._names.get, self._read_bytes
        nameless = self._nameless
        sizes = self._columns.sizes[rows].astype(np.int64) - RECORD_HEADER.size
        for start, end, size in zip(starts.tolist(), ends.tolist(), sizes.tolist(), strict=True):
            line = find(b"\n", start, end) + 1 or end
            begin = bytes(window[start : find(b"\n", line, end) + 1])
            classes[known(begin) or self._class(window, start, end, begin)] += size
        data = np.frombuffer(window, np.uint8, filled)
        doubtful = self.references.find(data, starts, ends, rows).tolist()
        unnamed = np.searchsorted(starts, np.array(sorted(nameless), np.int64)).tolist()
        nameless.clear()
        for number in sorted({*doubtful, *unnamed}):
            record = bytes(window[int(starts[number]) : int(ends[number])])
            yield from self._go_through(int(rows[number]), record, number not in unnamed)

    def _read_large(self, file: DataFile, start: int, end: int, row: Places) -> Iterator[None]:
        size, rows = end - start, row[:1]
        is_packed = bytes(file.window[: len(ZLIB)]) == ZLIB
        if size > LARGEST_RECORD:
            if is_packed:
                self._take_opaque(int(row[0]), size)
            else:
                yield from self._read_parts(file, start, end, rows)
        elif is_packed:
            yield from self._read_packed(iter([file.read(size, start)]), rows)
        else:
            record = bytearray(file.read(size, start))
            yield from self._look_unpacked(record, [0, size], rows.tolist())

    def _read_parts(self, file: DataFile, start: int, end: int, row: Places) -> Iterator[None]:
        size, doubtful = end - start, False
        name = self._class(file.window, 0, file.filled)
        at = np.zeros(1, np.int64)
        while start < end:
            file.load(start)
            part = min(file.filled, end - start)
            if not part:
                raise file.damaged(start, "the file ends here")
            step = part if part == end - start else max(part - LONGEST_REFERENCE, 1)
            data = np.frombuffer(file.window, np.uint8, part)
            ends = np.array([part])
            doubtful |= bool(len(self.references.find(data, at, ends, row, step)))
            start += step
            yield
        self._read_bytes[name] += size
        if doubtful or self._nameless:
            self._nameless.clear()
            self.references.unsure.append(int(row[0]))

    def _go_through(self, row: int, record: bytes, is_named: bool) -> Iterator[None]:
        """Note the references of a record; one that names no class may be none of ZODB's at all."""
        try:
            references = yield from strong_references(record)
        except ValueError:
            self.references.unsure.append(row)
            self._read_opaque += not is_named
        else:
            self.references.add(row, references)

    def _take_opaque(self, row: int, size: int) -> None:
        self.references.unsure.append(row)
        self._read_opaque += 1
        self._read_bytes[OTHER] += size

    def _class(self, window: bytearray, start: int, end: int, begin: bytes = b"") -> str:
        """Name a class; `begin`, if it names one alone, need not be looked into again."""
        name = class_name(bytes(window[start : min(end, start + LONGEST_CLASS_PART)]))
        if name is None:
            self._nameless.add(start)
            return OTHER
        known = len(self.classes) + len(self._read_bytes)
        if name not in self.classes and known >= MOST_CLASSES:
            name = OTHER
        if len(self._names) < MOST_CLASSES and class_name(begin) == name:
            self._names[begin] = name
        return name

    def _reach(self) -> Iterator[None]:
        oids, sizes = self._columns.oids, self._columns.sizes
        root = int(np.searchsorted(oids, np.uint64(ROOT)))
        if root == len(oids) or oids[root] != ROOT or not sizes[root]:
            self.unknown = Unknown.ROOTLESS
            return
        reached = yield from self.references.reachable(root)
        unsure = np.frombuffer(self.references.unsure, np.uint32)
        if reached[unsure].any() or (reached & (sizes == 0)).any():
            self.unknown = Unknown.REFERENCES
            return
        everything = np.ones(len(oids), bool)
        self.unreachable = self._kept(everything) - self._kept(reached)

    def _kept(self, rows: npt.NDArray[np.bool_]) -> int:
        """Return what these objects take in a packed file."""
        sizes = self._columns.sizes
        holding = np.zeros(len(self._overheads), bool)
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            holding[self._columns.transactions[part][rows[part] & (sizes[part] > 0)]] = True
        overheads = np.frombuffer(self._overheads, np.uint32)[holding]
        return int(sizes.sum(where=rows)) + int(overheads.sum(dtype=np.uint64))
