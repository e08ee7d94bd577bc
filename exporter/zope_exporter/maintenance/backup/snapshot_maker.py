"""Making the blobs of a backup: hard links to those of the database, or copies.

A blob file never changes once it is committed. What belongs to a backup is every blob of a
transaction up to its last, so that a commit meanwhile does not matter.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.system.foreign_file import chunks

from .beneath import Beneath
from .disk import Disk
from .pieces import sum_of
from .repository import Backup
from .snapshots import PATH, Blob, blobs_of, damaged, open_snapshot

STAGE = "backing up blobs"
LAYOUT = ".layout"
BLOB = re.compile(r"0x([0-9a-f]{16})\.blob")
WITHIN = re.compile(PATH)


@dataclass(frozen=True)
class Snapshot:
    """A directory with blobs, and what is known of each by its path."""

    files: Beneath
    blobs: Mapping[str, Blob]


@contextmanager
def newest_snapshot(complete: Sequence[Backup], report: Report) -> Iterator[Snapshot | None]:
    """Open the newest snapshot of these backups, None if there is none, or it cannot be read."""
    newest = next((each for each in reversed(complete) if each.blob_snapshot), None)
    if not newest:
        yield None
        return
    try:
        blobs = blobs_of(newest) or {}
        files = open_snapshot(newest)
    except (ActionError, OSError) as error:
        report.say(f"{error}: all blobs are read again")
        yield None
        return
    with files:
        yield Snapshot(files, blobs)


class Writing:
    """A new directory that blobs are put into, none through a link that comes in its place."""

    def __init__(self, disk: Disk, target: Path) -> None:
        self._disk = disk
        self._made: set[PurePosixPath] = {PurePosixPath()}
        disk.make_directory(target)
        self._files = Beneath(target.parent, target.name)

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def link(self, source: Beneath, path: str) -> bool:
        """Take a file by a hard link; False if that cannot be."""
        new, places = self._place(path), (source.full(path), self._files.full(path))
        old = source.directory_of(path)
        try:
            self._disk.link(*places, old, new)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, too many links, or a kernel that protects them
            return False
        return True

    def summed(self, path: str) -> tuple[str, int]:
        """Return the SHA-256 and the size of a file that is there."""
        with self._files.opened(path) as descriptor:
            return sum_of(descriptor, self._files.full(path)), os.fstat(descriptor).st_size

    def copy(self, source: Beneath, path: str, report: Report) -> Blob:
        """Copy a file, with its times."""
        found, size = sha256(), 0
        with source.opened(path) as reading:
            writing = self._disk.create(self._files.full(path), self._place(path))
            try:
                for data in chunks(reading, source.full(path)):
                    report.check()
                    found.update(data)
                    size += len(data)
                    self._disk.write(writing, data)
                status = os.fstat(reading)
                self._disk.set_times(writing, status.st_atime_ns, status.st_mtime_ns)
            finally:
                os.close(writing)
        return Blob(found.hexdigest(), size, path)

    def _place(self, path: str) -> int:
        """Return a descriptor of the directory of a path, which is made if need be."""
        for parent in reversed(PurePosixPath(path).parents):
            if parent not in self._made:
                directory = self._files.directory_of(str(parent))
                self._disk.make_directory(self._files.full(str(parent)), directory)
                self._made.add(parent)
        return self._files.directory_of(path)


class SnapshotMaker:
    """Makes snapshots, in which the files of an earlier one are not read again."""

    def __init__(self, disk: Disk, report: Report, before: Snapshot | None) -> None:
        self._disk = disk
        self._report = report
        self._before = before

    def make(self, blob_dir: Path, tid: int, target: Path) -> dict[str, Blob]:
        """Put all blobs up to a transaction into a new directory; it is on the disk then.

        Raises ActionError and OSError.
        """
        self._report.stage(STAGE)
        made: dict[str, Blob] = {}
        paths = list(_committed(blob_dir, tid))
        with Beneath(blob_dir) as source, Writing(self._disk, target) as writing:
            for path in paths:
                self._report.check()
                try:
                    made[path] = self._take(source, path, writing)
                except FileNotFoundError:
                    # Removed by a pack: an earlier one has no use for it, and a new one replaces
                    # the Data.fs first, which is looked at once all blobs are there.
                    self._report.say(f"{path} was removed from {blob_dir} meanwhile")
                self._report.advance(1)
        self._disk.sync_system(target)
        return made

    def _take(self, source: Beneath, path: str, writing: Writing) -> Blob:
        before = self._known(source, path)
        if before and self._before and writing.link(self._before.files, path):
            return before
        if path != LAYOUT and writing.link(source, path):
            return Blob(*writing.summed(path), path)
        return writing.copy(source, path, self._report)

    def _known(self, source: Beneath, path: str) -> Blob | None:
        """Return what the earlier snapshot knows of a file that is still the same."""
        known = self._before.blobs.get(path) if self._before else None
        if known is None or self._before is None or path == LAYOUT:
            return None
        status = source.status(path)
        try:
            mine = self._before.files.status(path)
        except OSError:  # lost, or led elsewhere by a link: that of the database is taken
            return None
        if os.path.samestat(mine, status):
            return known
        same = (mine.st_size, mine.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        return known if same else None


def to_copy(blob_dir: Path, tid: int, before: Snapshot | None) -> int:
    """Return how many bytes of blobs an earlier snapshot does not have."""
    known = before.blobs if before else {}
    paths = (path for path in _committed(blob_dir, tid) if path not in known)
    with Beneath(blob_dir) as files:
        return sum(_size(files, path) for path in paths)


def _size(files: Beneath, path: str) -> int:
    try:
        return files.status(path).st_size
    except FileNotFoundError:  # removed by a pack meanwhile
        return 0


def _committed(blob_dir: Path, tid: int) -> Iterator[str]:
    """Yield the paths of the layout and of all blobs up to a transaction."""
    if not blob_dir.is_dir():
        reason = f"{blob_dir} is not there"
        raise ActionError(STAGE, reason, "is its file system mounted, and blob-dir right?")
    if (blob_dir / LAYOUT).is_file():
        yield LAYOUT
    for directory, inside, names in os.walk(blob_dir, onerror=_raise):
        inside[:] = [name for name in inside if name.startswith("0x")]  # the others are temporary
        for name in names:
            match, path = BLOB.fullmatch(name), str(Path(directory, name).relative_to(blob_dir))
            if match and int(match[1], 16) <= tid and WITHIN.fullmatch(path):
                yield path


def write_blobs(backup: Backup, directory: Path, report: Report, disk: Disk | None = None) -> None:
    """Copy the blobs of a backup to a new directory, each checked as it is read.

    They are on the disk when this returns. Raises ActionError and OSError; what was written by then
    is removed.
    """
    disk, blobs = disk or Disk(), blobs_of(backup)
    if blobs is None:
        raise ActionError("writing the blobs of the backup", f"{backup.stamp} has no blobs")
    report.stage("writing the blobs of the backup", sum(blob.size for blob in blobs.values()))
    with open_snapshot(backup) as source:
        try:
            with Writing(disk, directory) as writing:
                for blob in blobs.values():
                    if writing.copy(source, blob.path, report) != blob:
                        raise damaged(blob)
            disk.sync_system(directory)
        except BaseException:
            disk.discard(directory)
            raise


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # of an upload that ended
        raise error
