"""What the current records hold: bytes by class, and what no reference leads to."""

import zlib
from array import array
from collections.abc import Iterator
from enum import Enum

import numpy as np

from .class_bytes import ClassBytes
from .class_names import LONGEST_CLASS_PART, OTHER
from .current_records import Columns, Rows
from .file_order import order_of, parts, up_to
from .format import RECORD_HEADER
from .pickle_machine import strong_references
from .reader import DataFile
from .records import ZLIB, unpacked
from .references import LONGEST_REFERENCE, Flags, References
from .scan_memory import ScanMemory
from .state import Findings

ROOT = 0
CLASSES = 20
WINDOW = 1 << 21
LARGEST_RECORD = 1 << 24  # that is held in memory, and may come of a compressed one


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

    def __init__(
        self, columns: Columns, overheads: "array[int]", memory: ScanMemory | None = None
    ) -> None:
        self._columns = columns
        self._overheads = overheads
        self._memory = memory or ScanMemory()
        self.references = References(columns.oids, self._memory)
        self.class_bytes = ClassBytes()
        self.done = 0
        self.opaque = 0
        self.total = sum(
            int(np.count_nonzero(columns.data[part])) for part in parts(len(columns.data))
        )
        self.unreachable: int | None = None
        self.unknown: Unknown | None = None
        # Of the window under way: it is read again if the scan is taken up from what is kept.
        self._read_opaque = 0

    @property
    def classes(self) -> dict[str, int]:
        """Bytes of data by class."""
        return self.class_bytes.sums

    def steps(self, file: DataFile) -> Iterator[None]:
        """Read all, giving way after each window."""
        order = yield from order_of(self._columns.data, self._memory)
        self.references.order = order[len(order) - self.total :]
        yield from self._read_all(file.with_window(WINDOW))
        yield from self._reach()

    def _read_all(self, file: DataFile) -> Iterator[None]:
        columns, order = self._columns, self.references.order
        while self.done < len(order):
            base = int(columns.data[order[self.done]])
            file.load(base)
            if not file.filled:
                raise file.damaged(base, "the file ends here")
            begun = up_to(columns.data, order, self.done, base + file.filled - 1)
            rows = order[self.done : begun]
            offsets = columns.data[rows].astype(np.int64) - base
            ends = offsets + columns.sizes[rows].astype(np.int64) - RECORD_HEADER.size
            whole = len(rows) - int(ends[-1] > file.filled)
            if whole:
                numbers = np.arange(self.done, self.done + whole)
                yield from self._read(file, offsets[:whole], ends[:whole], numbers)
            else:
                yield from self._read_large(file, base, base + int(ends[0]))
            self._take(max(whole, 1))
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

    def _take(self, records: int) -> None:
        """Count what was read, which no step divides."""
        self.class_bytes.take()
        self.references.take(records)
        self.done += records
        self.opaque += self._read_opaque
        self._read_opaque = 0

    def _read(self, file: DataFile, starts: Rows, ends: Rows, numbers: Rows) -> Iterator[None]:
        data = np.frombuffer(file.window, np.uint8, file.filled)
        is_packed = (data[starts] == ZLIB[0]) & (data[np.minimum(starts + 1, ends - 1)] == ZLIB[1])
        if is_packed.any():
            packed = zip(starts[is_packed].tolist(), ends[is_packed].tolist(), strict=True)
            records = (bytes(file.window[start:end]) for start, end in packed)
            yield from self._read_packed(records, numbers[is_packed])
            starts, ends, numbers = starts[~is_packed], ends[~is_packed], numbers[~is_packed]
        window = memoryview(file.window)[: file.filled]
        if 2 * int((ends - starts).sum()) < len(window):
            # What is between them, which nobody needs, would cost more than to copy them together.
            pairs = zip(starts.tolist(), ends.tolist(), strict=True)
            window = memoryview(b"".join([window[start:end] for start, end in pairs]))
            after = np.cumsum(ends - starts)
            starts, ends = after - (ends - starts), after
        yield from self._look(window, starts, ends, numbers)

    def _read_packed(self, records: Iterator[bytes], numbers: Rows) -> Iterator[None]:
        """Read records that are compressed, some at a time: of little can come much."""
        window, ends, held = bytearray(), [0], []
        for record, number in zip(records, numbers.tolist(), strict=True):
            try:
                window += unpacked(record, LARGEST_RECORD)
            except zlib.error:
                self._take_opaque(number, len(record))
                continue
            ends.append(len(window))
            held.append(number)
            if len(window) >= WINDOW:
                yield from self._look_unpacked(window, ends, held)
                window, ends, held = bytearray(), [0], []
        if held:
            yield from self._look_unpacked(window, ends, held)

    def _look_unpacked(
        self, window: bytes | bytearray, ends: list[int], held: list[int]
    ) -> Iterator[None]:
        edges = np.array(ends, np.int64)
        yield from self._look(memoryview(window), edges[:-1], edges[1:], np.array(held, np.int64))

    def _look(self, window: memoryview, starts: Rows, ends: Rows, numbers: Rows) -> Iterator[None]:
        rows = self.references.order[numbers]
        sizes = self._columns.sizes[rows].astype(np.int64) - RECORD_HEADER.size
        data = np.frombuffer(window, np.uint8)
        unnamed = self.class_bytes.add(data, starts, ends, sizes)
        doubtful = self.references.find(data, starts, ends, numbers).tolist()
        for number in sorted({*doubtful, *unnamed}):
            record = bytes(window[int(starts[number]) : int(ends[number])])
            yield from self._go_through(int(numbers[number]), record, number not in unnamed)

    def _read_large(self, file: DataFile, start: int, end: int) -> Iterator[None]:
        """Read the next record, which no window holds as a whole."""
        size = end - start
        is_packed = bytes(file.window[: len(ZLIB)]) == ZLIB
        if size > LARGEST_RECORD:
            if is_packed:
                self._take_opaque(self.done, size)
            else:
                yield from self._read_parts(file, start, end)
        elif is_packed:
            yield from self._read_packed(iter([file.read(size, start)]), np.array([self.done]))
        else:
            yield from self._look_unpacked(file.read(size, start), [0, size], [self.done])

    def _read_parts(self, file: DataFile, start: int, end: int) -> Iterator[None]:
        doubtful = not self.class_bytes.add_one(
            bytes(file.window[: min(file.filled, LONGEST_CLASS_PART)]), end - start
        )
        at, number = np.zeros(1, np.int64), np.array([self.done])
        while start < end:
            file.load(start)
            part = min(file.filled, end - start)
            if not part:
                raise file.damaged(start, "the file ends here")
            step = part if part == end - start else max(part - LONGEST_REFERENCE, 1)
            data = np.frombuffer(file.window, np.uint8, part)
            doubtful |= bool(len(self.references.find(data, at, np.array([part]), number, step)))
            start += step
            yield
        if doubtful:
            self.references.doubt(self.done)

    def _go_through(self, number: int, record: bytes, is_named: bool) -> Iterator[None]:
        """Note the references of a record; one that names no class may be none of ZODB's at all."""
        try:
            references = yield from strong_references(record)
        except ValueError:
            self.references.doubt(number)
            self._read_opaque += not is_named
        else:
            self.references.add(number, references)

    def _take_opaque(self, number: int, size: int) -> None:
        self.references.doubt(number)
        self._read_opaque += 1
        self.class_bytes.add_one(b"", size)

    def _reach(self) -> Iterator[None]:
        oids, sizes = self._columns.oids, self._columns.sizes
        # The ids are in order, and the root's is the smallest that there is.
        if not len(oids) or oids[0] != ROOT or not sizes[0]:
            self.unknown = Unknown.ROOTLESS
            return
        reached = yield from self.references.reachable(0)
        is_lost = any((reached[part] & (sizes[part] == 0)).any() for part in parts(len(oids)))
        if is_lost or reached[self.references.unsure.values].any():
            self.unknown = Unknown.REFERENCES
            return
        self.unreachable = self._kept(None) - self._kept(reached)

    def _kept(self, rows: Flags | None) -> int:
        """Return what these objects, None for all, take in a packed file."""
        sizes, total = self._columns.sizes, 0
        holding = np.zeros(len(self._overheads), bool)
        for part in parts(len(sizes)):
            kept = sizes[part] > 0
            if rows is not None:
                kept &= rows[part]
            holding[self._columns.transactions[part][kept]] = True
            total += int(sizes[part].sum(where=kept, dtype=np.uint64))
        overheads = np.frombuffer(self._overheads, np.uint32)[holding]
        return total + int(overheads.sum(dtype=np.uint64))
