"""The blobs of a backup: hard links to those of the database, or copies, in a directory by stamp.

A blob file never changes once it is committed. What belongs to a backup is every blob of a
transaction up to its last, so that a commit meanwhile does not matter.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from zope_exporter.jobs.report import ActionError, Report

from .disk import Disk
from .listing import Backup
from .manifest import BlobList
from .small import open_regular, read_small

STAGE = "backing up blobs"
CHUNK = 1 << 20
LAYOUT = ".layout"
BLOB = re.compile(r"0x([0-9a-f]{16})\.blob")
PATH = r"(?:0x[0-9a-f]{2,16}/)+0x[0-9a-f]{16}\.blob"
LINE = re.compile(rf"([0-9a-f]{{64}}) ([0-9]{{1,19}}) ({PATH}|\.layout)")
WITHIN = re.compile(PATH)
LARGEST = 1 << 30
SUFFIX = ".blobs"


class Blob(NamedTuple):
    """A file in a snapshot, by its path in it."""

    sha256: str
    size: int
    path: str


@dataclass(frozen=True)
class Snapshot:
    """A directory with blobs, and what is known of each by its path."""

    directory: Path
    blobs: Mapping[str, Blob]


def listing(blobs: Mapping[str, Blob]) -> bytes:
    """Return the file that lists a snapshot."""
    return "".join(f"{b.sha256} {b.size} {b.path}\n" for _, b in sorted(blobs.items())).encode()


def summed(blobs: Mapping[str, Blob]) -> BlobList:
    """Return what the manifest says of the file that lists a snapshot."""
    size = sum(blob.size for blob in blobs.values())
    return BlobList(sha256(listing(blobs)).hexdigest(), len(blobs), size)


def read_listing(path: Path, told: BlobList) -> dict[str, Blob]:
    """Return what a file lists. Raises ActionError if it is not the one that the manifest names."""
    try:
        data = read_small(path, LARGEST)
    except OSError as error:
        reason = f"{path.name} cannot be read: {error.strerror}"
        raise ActionError("reading the backup", reason, "use another backup") from error
    if sha256(data).hexdigest() != told.sha256:
        reason = f"{path.name} was changed after it was written"
        raise ActionError("reading the backup", reason, "use another backup")
    blobs = {}
    for line in data.splitlines():
        match = LINE.fullmatch(line.decode(errors="replace"))
        # A path is never followed out of the snapshot.
        if not match:
            reason = f"{path.name} lists what is no blob"
            raise ActionError("reading the backup", reason, "use another backup")
        blobs[match[3]] = Blob(match[1], int(match[2]), match[3])
    return blobs


class SnapshotMaker:
    """Makes snapshots, in which the files of an earlier one are not read again."""

    def __init__(self, disk: Disk, report: Report, before: Snapshot | None) -> None:
        self._disk = disk
        self._report = report
        self._before = before
        self.copied = 0

    def make(self, blob_dir: Path, tid: int, target: Path) -> dict[str, Blob]:
        """Put all blobs up to a transaction into a new directory; it is on the disk then.

        Raises ActionError and OSError.
        """
        self._report.stage(STAGE)
        self._disk.make_directory(target)
        made: dict[str, Blob] = {}
        for path in _committed(blob_dir, tid):
            self._report.check()
            try:
                made[path] = self._take(blob_dir / path, path, target)
            except FileNotFoundError:
                # Removed by a pack: an earlier one has no use for it, and a new one replaces the
                # Data.fs first, which is looked at once all blobs are there.
                self._report.say(f"{path} was removed from {blob_dir} meanwhile")
            self._report.advance(1)
        self._disk.sync_system(target)
        return made

    def _take(self, source: Path, path: str, target: Path) -> Blob:
        new = target / path
        self._make_parents(target, path)
        before = self._known(source, path)
        if before and self._before and self._link(self._before.directory / path, new):
            return before
        if path != LAYOUT and self._link(source, new):
            return Blob(sum_of(source), source.stat().st_size, path)
        return self.copy(source, target, path)

    def _make_parents(self, target: Path, path: str) -> None:
        for parent in reversed(Path(path).parents):
            if not (target / parent).is_dir():
                self._disk.make_directory(target / parent)

    def _known(self, source: Path, path: str) -> Blob | None:
        """Return what the earlier snapshot knows of a file that is still the same."""
        known = self._before.blobs.get(path) if self._before else None
        if known is None or self._before is None or path == LAYOUT:
            return None
        mine, status = (self._before.directory / path).lstat(), source.lstat()
        if os.path.samestat(mine, status):
            return known
        same = (mine.st_size, mine.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        return known if same else None

    def _link(self, source: Path, new: Path) -> bool:
        try:
            self._disk.link(source, new)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, too many links, or a kernel that protects them
            return False
        return True

    def copy(self, source: Path, target: Path, path: str) -> Blob:
        """Copy a file to its path in the target, with its times."""
        found, size, new = sha256(), 0, target / path
        self._make_parents(target, path)
        reading = open_regular(source)
        try:
            writing = self._disk.create(new)
            try:
                while data := os.read(reading, CHUNK):
                    self._report.check()
                    found.update(data)
                    size += len(data)
                    self._disk.write(writing, data)
            finally:
                os.close(writing)
            status = os.fstat(reading)
        finally:
            os.close(reading)
        self._disk.set_times(new, status.st_atime_ns, status.st_mtime_ns)
        self.copied += size
        return Blob(found.hexdigest(), size, path)


def to_copy(blob_dir: Path, tid: int, before: Snapshot | None) -> int:
    """Return how many bytes of blobs an earlier snapshot does not have."""
    known = before.blobs if before else {}
    paths = (path for path in _committed(blob_dir, tid) if path not in known)
    return sum((blob_dir / path).lstat().st_size for path in paths)


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
    disk = disk or Disk()
    source, told = backup.blob_snapshot, backup.manifest and backup.manifest.blobs
    if source is None or not told:
        raise ActionError("writing the blobs of the backup", f"{backup.stamp} has no blobs")
    blobs = read_listing(backup.repository / (backup.stamp + SUFFIX), told)
    report.stage("writing the blobs of the backup", told.size)
    disk.make_directory(directory)
    maker = SnapshotMaker(disk, report, None)
    try:
        for blob in blobs.values():
            if maker.copy(source / blob.path, directory, blob.path) != blob:
                raise damaged(blob)
        disk.sync_system(directory)
    except BaseException:
        disk.discard(directory)
        raise


def check_blobs(
    backup: Backup, report: Report, sums: dict[tuple[int, int], str] | None = None
) -> Iterator[str]:
    """Read all blobs of a backup; yield what is wrong with any, beginning with its name.

    `sums` has those of files that were read for other backups, which share most of them.
    """
    sums = {} if sums is None else sums
    source, told = backup.blob_snapshot, backup.manifest and backup.manifest.blobs
    if source is None or not told:
        return
    report.stage(f"checking the blobs of {backup.stamp}", told.size)
    for blob in read_listing(backup.repository / (backup.stamp + SUFFIX), told).values():
        report.check()
        try:
            if _sum_once(source / blob.path, sums) != blob.sha256:
                yield str(damaged(blob).reason)
        except OSError as error:
            yield f"{blob.path}: cannot be read: {error.strerror}"
        report.advance(blob.size)


def _sum_once(path: Path, sums: dict[tuple[int, int], str]) -> str:
    status = path.lstat()
    file = status.st_dev, status.st_ino
    if file not in sums:
        sums[file] = sum_of(path)
    return sums[file]


def damaged(blob: Blob) -> ActionError:
    return ActionError(
        "reading the backup", f"{blob.path}: its SHA-256 sum is not that of the list"
    )


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # of an upload that ended
        raise error


def sum_of(path: Path) -> str:
    descriptor = open_regular(path)
    try:
        found = sha256()
        while data := os.read(descriptor, CHUNK):
            found.update(data)
    finally:
        os.close(descriptor)
    return found.hexdigest()
