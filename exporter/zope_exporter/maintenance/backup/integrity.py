"""Whether a restored Data.fs is one that works: every record, reference and blob looked at.

And whether the database or the backup lost what it lacks. `verify` asks this of the newest backup
and `restore` of what it has written, so that whatever the one passes the other can put back.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ZODB.utils import oid_repr, p64

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.contents import ROOT, Contents
from zope_exporter.storage.filestorage.current_records import Columns, Numbers, Places, Rows
from zope_exporter.storage.filestorage.datafile import TornTailError, opened
from zope_exporter.storage.filestorage.full_count import FullCount
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.references import Bytes, References

from .repository import Backup
from .verification_record import Faults, dangling, missing

BLOB_CLASS = b"cZODB.blob\nBlob\n"
BLOB_CLASS_WITHIN = 4  # bytes from the beginning of a record


@dataclass(frozen=True)
class Found:
    """What a Data.fs holds, and what it lacks.

    `dangling` are references, each from an object to one that is not there; `blobs` how many the
    objects need, `missing_blobs` the paths that each may have, the first in the layout of today.
    """

    position: int
    tid: int
    transactions: int
    objects: int
    blobs: int
    dangling: tuple[tuple[int, int], ...]
    missing_blobs: tuple[tuple[str, str], ...]


def examine(path: Path, blobs: Iterable[str] | None, report: Report) -> Found:
    """Walk a Data.fs, of whose blobs there are these, or None if nothing is known of them.

    No pickle is run. Raises DamagedError and other FileStorageErrors.
    """
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        report.stage("walking the restored Data.fs", file.size())
        full_count, passed = FullCount(), 0
        for _ in full_count.steps(file):
            report.check()
            report.advance(full_count.position - passed)
            passed = full_count.position
        columns = full_count.columns
        objects = _Objects(columns)
        contents = Contents(columns, full_count.overheads)
        contents.references = objects
        report.stage("looking at every object", contents.total)
        done = 0
        for _ in contents.steps(file):
            report.check()
            report.advance(contents.done - done)
            done = contents.done
        reached = objects.reached()
        dangling = _dangling(columns, objects, reached)
        missing: Iterable[tuple[str, str]] = ()
        if blobs is not None:
            missing = _missing_blobs(file, full_count, objects, reached, set(blobs))
        needed = sum(bool(reached[row]) for row in objects.blobs)
        counts = len(full_count.starts), len(columns.oids), needed
        return Found(full_count.position, full_count.tid, *counts, tuple(dangling), tuple(missing))


class _Objects(References):
    """Notes also which objects are blobs, and which references lead to nothing."""

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns.oids)
        self.columns = columns
        self.blobs = array("I")
        self.dangling: dict[tuple[int, int], None] = {}

    def find(
        self,
        data: Bytes,
        starts: Rows,
        ends: Rows,
        numbers: Rows,
        before: int | None = None,
    ) -> Rows:
        doubtful = super().find(data, starts, ends, numbers, before)
        window = data.tobytes()
        at = window.find(BLOB_CLASS)
        while at >= 0:
            number = int(np.searchsorted(starts, at, "right")) - 1
            if number >= 0 and at - int(starts[number]) <= BLOB_CLASS_WITHIN:
                self.blobs.append(int(self.order[numbers[number]]))
            at = window.find(BLOB_CLASS, at + 1)
        return doubtful

    def unknown(self, rows: Places, oids: Numbers) -> None:
        self.dangling.update(dict.fromkeys(zip(rows.tolist(), oids.tolist(), strict=True)))

    def reached(self) -> npt.NDArray[np.bool_]:
        """Return which rows the root leads to; all of them where there is no root."""
        oids = self.columns.oids
        everything = np.ones(len(oids), bool)
        if not len(oids) or oids[0] != ROOT or not self.columns.sizes[0]:
            return everything
        found: list[npt.NDArray[np.bool_]] = []

        def reach() -> Iterator[None]:
            found.append((yield from self.reachable(0)))

        for _ in reach():
            pass
        return found[0]

    def to_nothing(self) -> Iterator[tuple[int, int]]:
        """Yield row and target of the references to no object, or to a deleted one."""
        yield from self.dangling
        ends, targets = self.ends.values, self.targets.values
        for edge in np.flatnonzero(self.columns.data[targets] == 0).tolist():
            number = int(np.searchsorted(ends, ends.dtype.type(edge), "right"))
            yield int(self.order[number]), int(self.columns.oids[targets[edge]])


def _dangling(
    columns: Columns, objects: _Objects, reached: npt.NDArray[np.bool_]
) -> Iterable[tuple[int, int]]:
    oids = columns.oids
    return dict.fromkeys(
        (int(oids[row]), target) for row, target in objects.to_nothing() if reached[row]
    )


def _missing_blobs(
    file: DataFile,
    full_count: FullCount,
    objects: _Objects,
    reached: npt.NDArray[np.bool_],
    blobs: set[str],
) -> Iterator[tuple[str, str]]:
    columns = full_count.columns
    for row in objects.blobs:
        if reached[row]:
            oid, start = int(columns.oids[row]), full_count.starts[int(columns.transactions[row])]
            name = f"0x{file.transaction(start).tid:016x}.blob"
            bushy = "/".join(f"0x{byte:02x}" for byte in oid.to_bytes(8, "big"))
            paths = f"{bushy}/{name}", f"{oid_repr(p64(oid))}/{name}"
            if blobs.isdisjoint(paths):
                yield paths


Paths = tuple[str, str]


@dataclass(frozen=True)
class Judgement:
    """What a Data.fs holds, and which blobs that its objects need are not in the backup.

    Each is given by the paths that it may have, the first in the layout of today. `absent` are in
    the blob directory of the site neither, `only_site` are there, and of the `unknown` nobody can
    tell, for there is no such directory. Whether the bytes are `faithful`, still those that the
    database had, decides whose fault it is that something is missing.
    """

    found: Found
    absent: tuple[Paths, ...]
    only_site: tuple[Paths, ...]
    unknown: tuple[Paths, ...]
    faithful: bool

    @property
    def of_database(self) -> Faults:
        """What the database itself lacks: no fault of the backup."""
        return self._theirs() if self.faithful else Faults()

    @property
    def of_backup(self) -> Faults:
        """What the database has and the backup has not."""
        return _missing(self.only_site)

    @property
    def in_doubt(self) -> Faults:
        """What either of them may have lost."""
        return _missing(self.unknown) + (Faults() if self.faithful else self._theirs())

    @property
    def nowhere(self) -> tuple[Paths, ...]:
        """The blobs that cannot be had from here."""
        return self.absent + self.unknown

    def _theirs(self) -> Faults:
        return dangling(self.found.dangling) + _missing(self.absent)


def judge(
    data_fs: Path,
    blobs: Collection[str] | None,
    site_blobs: Path | None,
    faithful: bool,
    report: Report,
) -> Judgement:
    """Read all of a Data.fs that was written from a backup with those blobs.

    `blobs` is None where nothing is known of them, and none is looked for. Raises DamagedError,
    TornTailError and other FileStorageErrors.
    """
    found = examine(data_fs, blobs, report)
    _check_end(data_fs, found.position)
    absent: list[Paths] = []
    only_site: list[Paths] = []
    unknown: list[Paths] = []
    for paths in found.missing_blobs:
        if site_blobs is None or not site_blobs.is_dir():
            unknown.append(paths)
        elif any((site_blobs / path).is_file() for path in paths):
            only_site.append(paths)
        else:
            absent.append(paths)
    return Judgement(found, tuple(absent), tuple(only_site), tuple(unknown), faithful)


def faithful(backup: Backup) -> bool:
    """Tell whether all bytes were summed up as they came from the Data.fs, and are still those."""
    return backup.manifest is not None and all(piece.content for piece in backup.pieces)


def _check_end(data_fs: Path, position: int) -> None:
    status = data_fs.stat()
    if status.st_size != position:
        raise TornTailError(
            f"{data_fs} has {status.st_size - position} bytes after its last whole transaction, at"
            f" byte {position}",
            status.st_mtime,
        )


def _missing(blobs: Collection[Paths]) -> Faults:
    return missing([paths[0] for paths in blobs])
