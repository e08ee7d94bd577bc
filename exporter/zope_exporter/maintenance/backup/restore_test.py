"""Restoring one backup to scratch, and looking at all that is in it.

It is also compared with the Data.fs it was made of, if that still has the same bytes.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
)
from zope_exporter.maintenance.room import check_free
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened

from .blob_lists import blobs_of
from .disk import Disk
from .integrity import Found, Judgement, faithful, judge
from .manifest import Manifest
from .parent import sum_of_range
from .pieces import DamagedPieceError, restoring
from .repository import Backup
from .stream_check import BrokenStructureError, StreamCheck
from .target import Source
from .verification_record import Faults

HEADROOM = 1 << 22


@dataclass
class RestoreTest:
    """Tries one backup; `failures` are its own, `bad` names the damaged pieces with the reason.

    What is wrong with the database that it is a faithful copy of is in `database_faults`, which is
    None where nobody can know: the walk failed, or may have failed by a fault of the backup.
    """

    backup: Backup
    report: Report
    disk: Disk
    directory: Path | None = None  # for what is restored, if not the repository
    failures: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    database_faults: Faults | None = None
    counts: tuple[int, int, int] = (0, 0, 0)  # transactions, records, objects

    def run(self, source: Source | None) -> None:
        """Raises RefusedError (`room`), InterruptedActionError and OSError."""
        self._check_room()
        structure = StreamCheck()
        with self.disk.temporary(self.directory or self.backup.repository) as scratch:
            try:
                self._write(scratch, structure)
                listed = _listed_blobs(self.backup)
                site_blobs = source.blob_dir if source else None
                judged = judge(scratch, listed, site_blobs, faithful(self.backup), self.report)
                if source and source.over_base:
                    judged = replace(judged, found=replace(judged.found, dangling=()))
                self._compare(judged.found, structure)
                self._note(judged)
            except DamagedPieceError as error:
                self.bad[error.piece] = error.reason
            except (InterruptedActionError, RefusedError):
                raise
            except (ActionError, BrokenStructureError, FileStorageError) as error:
                self._fail(str(error).replace(str(scratch), "the restored Data.fs"))
        if source is not None:
            others = compare_with_source(self.backup, source, self.report, self.notes)
            self.failures += [f"{piece}: {reason}" for piece, reason in others]

    def _write(self, scratch: Path, structure: StreamCheck) -> None:
        descriptor = self.disk.create(scratch)
        try:
            for data in restoring(self.backup, self.report):
                structure.feed(data)
                # Not synced: it is to be read once and removed, and the disk need never have it.
                self.disk.write(descriptor, data)
        finally:
            os.close(descriptor)
        structure.check_end(self.backup.pieces[-1].end)

    def _fail(self, text: str) -> None:
        self.failures.append(f"{self.backup.pieces[-1].name}: {text}")

    def _check_room(self) -> None:
        directory = self.directory or self.backup.repository
        needed, free = self.backup.pieces[-1].end + HEADROOM, shutil.disk_usage(directory).free
        check_free("restoring the backup", needed, free, f"in {directory}")

    def _compare(self, found: Found, structure: StreamCheck) -> None:
        """Compare what was walked with what went by, and that with what was backed up."""
        if (found.position, found.tid) != (structure.position, structure.tid):
            self._fail(f"the walk ends early, at byte {found.position}")
        manifest = self.backup.manifest
        counted = (structure.tid, structure.last, structure.transactions, structure.records)
        if manifest and counted != (
            *(manifest.tid, manifest.last),
            *(manifest.transactions, manifest.records),
        ):
            self._fail("other transactions or records than were backed up")
        self.counts = (structure.transactions, structure.records, found.objects)

    def _note(self, judged: Judgement) -> None:
        """Tell faults of the database from those of the backup; what is in doubt is none's pass."""
        ours = judged.of_backup + judged.in_doubt
        for sentence in ours.sentences:
            self._fail(sentence)
        if not ours.count:
            self.database_faults = judged.of_database


def _listed_blobs(backup: Backup) -> Collection[str] | None:
    """Return the paths of its blobs, None if it has none, or a list that is bad: that is told."""
    with suppress(ActionError):
        return blobs_of(backup)
    return None


def compare_with_source(
    backup: Backup, source: Source, report: Report, notes: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield each piece whose bytes in the Data.fs are others now, with the reason.

    Nothing is said, but a note made, where the Data.fs is another file, as after a pack.
    """
    manifest = backup.manifest
    if manifest is None:
        return
    try:
        with opened(source.data_fs) as descriptor, ThreadPoolExecutor(2) as pool:
            if not _still_holds(descriptor, manifest):
                notes.append(f"{source.data_fs} was packed or replaced since {backup.stamp}")
                return
            report.stage("comparing with the Data.fs", manifest.end)
            for piece in manifest.pieces:
                if sum_of_range(descriptor, piece.start, piece.end, pool, report) != piece.content:
                    yield piece.name, f"{source.data_fs} has other bytes there than were backed up"
    except FileStorageError as error:
        notes.append(f"not compared with the Data.fs: {error}")


def _still_holds(descriptor: int, manifest: Manifest) -> bool:
    """Tell whether it is the file that was backed up: the same inode and last transaction."""
    status = os.fstat(descriptor)
    return (
        (status.st_dev, status.st_ino) == (manifest.device, manifest.inode)
        and status.st_size >= manifest.end
        and os.pread(descriptor, 8, manifest.last) == manifest.tid.to_bytes(8, "big")
    )
