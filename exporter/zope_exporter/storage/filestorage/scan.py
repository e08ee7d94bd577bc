"""One pass over a whole Data.fs in small steps, which can be taken up again after a restart.

First the full count, for which, where there is an index, only the transactions' headers and the
current records' headers are read; then the data of the current records.
"""

import json
from array import array
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from zope_exporter.system.open_files import Identity
from zope_exporter.system.parts_file import Part

from .columns import Array, Column
from .contents import Contents
from .current_records import Columns, CurrentRecords, Sweep
from .datafile import FileStorageError, TornTailError, opened
from .file_order import parts
from .format import FIRST_TRANSACTION, LENGTH, PACKED, RECORD_HEADER, UNDONE, Transaction
from .index import read_index
from .reader import HEADERS_ONLY, DataFile
from .scan_memory import NoRoomError, ScanMemory
from .totals import Totals

TRANSACTIONS_A_STEP = 1000
RECORDS_A_STEP = 4000
RECORDS_A_MERGE = 1 << 18
_PLACE = ("position", "tid", "start", "packed")
_READ = ("done", "opaque", "classes")
_REFERENCES = ("ends", "targets", "unsure")


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
        live = np.zeros(len(self.starts), np.uint32)
        for part in parts(len(columns.oids)):
            holding = columns.transactions[part][columns.sizes[part] > 0]
            numbers, counts = np.unique(holding, return_counts=True)
            live[numbers] += counts.astype(np.uint32)
        starts = np.frombuffer(self.starts, np.uint64)[live > 0]
        overheads = np.frombuffer(self.overheads, np.uint32)[live > 0]
        kept = int(columns.sizes.sum(dtype=np.uint64)) + int(overheads.sum(dtype=np.uint64))
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


def indexed(file: DataFile, path: Path, memory: ScanMemory) -> Generator[None, None, FullCount]:
    """Count what an index file covers, from its current records alone.

    Raises UnusableIndexError for an index that is not one of this file, and DamagedError.
    """
    index = read_index(path, memory)
    full_count = FullCount()
    ends, last_filled = array("Q"), -1
    headers = file.with_window(HEADERS_ONLY)
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
    sweep = Sweep(file, index, full_count.starts, ends, memory)
    yield from sweep.steps()
    sweep.check_end(full_count.position, last_filled)
    full_count.current = CurrentRecords(sweep.columns, memory)
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


class Scan:
    """Counts all (`full_count`), then reads the current records (`contents`, None till then)."""

    def __init__(self, identity: Identity, size: int, memory: ScanMemory | None = None) -> None:
        self.identity = identity
        self.memory = memory or ScanMemory()
        self.full_count = FullCount(current=CurrentRecords(memory=self.memory))
        self.contents: Contents | None = None
        self._size = size

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self.contents is None:
            return 0.5 * min(1.0, self.full_count.position / max(self._size, 1))
        return 0.5 + 0.5 * self.contents.done / max(self.contents.total, 1)

    def steps(self, file: DataFile) -> Iterator[None]:
        if self.contents is None:
            if self.full_count.position == FIRST_TRANSACTION:
                yield from self._count_indexed(file)
            yield from self.full_count.steps(file)
            columns, overheads = self.full_count.columns, self.full_count.overheads
            self.contents = Contents(columns, overheads, self.memory)
        yield
        yield from self.contents.steps(file)

    def _count_indexed(self, file: DataFile) -> Iterator[None]:
        try:
            index = file.path.with_name(file.path.name + ".index")
            self.full_count = yield from indexed(file, index, self.memory)
        except NoRoomError:
            raise
        except FileStorageError:
            # The walk from the first transaction on needs no index, and tells what is damaged.
            return

    def parts(self) -> dict[str, Part]:
        """Return all that `restored` needs; it holds while the scan makes no step."""
        full_count, contents = self.full_count, self.contents
        full_count.current.merge()
        columns: dict[str, Array] = dict(vars(full_count.columns))
        texts: dict[str, object] = {}
        if contents is not None:
            columns |= {name: getattr(contents.references, name).values for name in _REFERENCES}
            texts["contents"] = {name: getattr(contents, name) for name in _READ}
        texts["place"] = {name: getattr(full_count, name) for name in _PLACE} | {
            "identity": self.identity,
            "types": {name: column.dtype.str for name, column in columns.items()},
        }
        return {
            **{name: json.dumps(text).encode() for name, text in texts.items()},
            **{name: column.view(np.uint8).data for name, column in columns.items()},
            "starts": full_count.starts.tobytes(),
            "overheads": full_count.overheads.tobytes(),
        }


def restored(
    parts: Mapping[str, Part], file: DataFile, identity: Identity, memory: ScanMemory | None = None
) -> Scan | None:
    """Return the scan that was under way, None if it was of another file or is not understood.

    It takes over the parts, and writes to them.
    """
    scan = Scan(identity, file.size(), memory)
    try:
        place = json.loads(bytes(parts["place"]))
        types = place.pop("types")
        if tuple(place.pop("identity")) != identity or not place["start"]:
            return None
        if file.transaction(place["start"]).tid != place["tid"]:
            return None
        arrays = {name: np.frombuffer(parts[name], dtype) for name, dtype in types.items()}
        columns = Columns(**{each.name: arrays[each.name] for each in fields(Columns)})
        starts, overheads = (
            array("Q", bytes(parts["starts"])),
            array("I", bytes(parts["overheads"])),
        )
        scan.full_count = FullCount(
            **place,
            starts=starts,
            overheads=overheads,
            current=CurrentRecords(columns, scan.memory),
        )
        if "contents" in parts:
            scan.contents = contents = Contents(columns, overheads, scan.memory)
            read = json.loads(bytes(parts["contents"]))
            contents.done, contents.opaque = read["done"], read["opaque"]
            contents.classes.update(read["classes"])
            for name in _REFERENCES:
                setattr(contents.references, name, Column(scan.memory, arrays[name]))
    except (ValueError, TypeError, KeyError, FileStorageError):
        return None
    return scan
