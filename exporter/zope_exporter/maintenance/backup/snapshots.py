"""The blobs of a backup: hard links to those of the database, or copies, in a directory by stamp.

A blob file never changes once it is committed. What belongs to a backup is every blob of a
transaction up to its last, so that a commit meanwhile does not matter.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .beneath import Beneath, OddFileError, odd, read_small
from .disk import Disk
from .manifest import BlobList
from .repository import Backup
from .stamps import BLOBS
from .writing import Blob, Writing, sum_of

STAGE = "backing up blobs"
LAYOUT = ".layout"
BLOB = re.compile(r"0x([0-9a-f]{16})\.blob")
PATH = r"(?:0x[0-9a-f]{2,16}/)+0x[0-9a-f]{16}\.blob"
LINE = re.compile(rf"([0-9a-f]{{64}}) ([0-9]{{1,19}}) ({PATH}|\.layout)")
WITHIN = re.compile(PATH)
LARGEST = 1 << 30
SUFFIX = ".blobs"


@dataclass(frozen=True)
class Snapshot:
    """A directory with blobs, and what is known of each by its path."""

    files: Beneath
    blobs: Mapping[str, Blob]


def _open_snapshot(backup: Backup) -> Beneath:
    """Open the blobs of a backup. Raises OSError; OddFileError if a link leads there."""
    return Beneath(backup.repository, BLOBS, backup.stamp)


def listing(blobs: Mapping[str, Blob]) -> bytes:
    """Return the file that lists a snapshot."""
    return "".join(f"{b.sha256} {b.size} {b.path}\n" for _, b in sorted(blobs.items())).encode()


def summed(blobs: Mapping[str, Blob]) -> BlobList:
    """Return what the manifest says of the file that lists a snapshot."""
    size = sum(blob.size for blob in blobs.values())
    return BlobList(sha256(listing(blobs)).hexdigest(), len(blobs), size)


def blobs_of(backup: Backup) -> dict[str, Blob] | None:
    """Return what is listed as the blobs of a backup by path, None if it has none.

    Raises ActionError if it is not the list that the manifest names.
    """
    told = backup.manifest and backup.manifest.blobs
    if not told:
        return None
    name = backup.stamp + SUFFIX
    try:
        data = read_small(backup.repository / name, LARGEST)
    except OSError as error:
        raise _unusable(f"{name} cannot be read: {error.strerror}") from error
    if sha256(data).hexdigest() != told.sha256:
        raise _unusable(f"{name} was changed after it was written")
    blobs = {}
    for line in data.splitlines():
        match = LINE.fullmatch(line.decode(errors="replace"))
        # A path is never followed out of the snapshot.
        if not match:
            raise _unusable(f"{name} lists what is no blob")
        blobs[match[3]] = Blob(match[1], int(match[2]), match[3])
    return blobs


def _unusable(reason: str) -> ActionError:
    return ActionError("reading the backup", reason, "use another backup")


@contextmanager
def newest_snapshot(complete: Sequence[Backup], report: Report) -> Iterator[Snapshot | None]:
    """Open the newest snapshot of these backups, None if there is none, or it cannot be read."""
    newest = next((each for each in reversed(complete) if each.blob_snapshot), None)
    if not newest:
        yield None
        return
    try:
        blobs = blobs_of(newest) or {}
        files = _open_snapshot(newest)
    except (ActionError, OSError) as error:
        report.say(f"{error}: all blobs are read again")
        yield None
        return
    with files:
        yield Snapshot(files, blobs)


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

    def _take(self, source: Beneath, path: str, writing: "Writing") -> Blob:
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
    with _open_snapshot(backup) as source:
        try:
            with Writing(disk, directory) as writing:
                for blob in blobs.values():
                    if writing.copy(source, blob.path, report) != blob:
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
    blobs, sums = blobs_of(backup), {} if sums is None else sums
    if blobs is None:
        return
    report.stage(f"checking the blobs of {backup.stamp}", sum(b.size for b in blobs.values()))

    def look(files: Beneath, blob: Blob) -> str:
        report.check()
        report.advance(blob.size)
        whole = _sum_once(files, blob.path, sums) == blob.sha256
        return "" if whole else str(damaged(blob).reason)

    yield from _faults(backup, blobs, look)


def check_sizes(backup: Backup, blobs: Mapping[str, Blob]) -> Iterator[str]:
    """Look at all blobs of a backup; yield what is wrong with any, beginning with its name."""

    def look(files: Beneath, blob: Blob) -> str:
        lost = f"{blob.path}: missing, or cut off"
        try:
            found = files.status(blob.path)
        except OddFileError:
            raise
        except OSError:
            return lost
        if not stat.S_ISREG(found.st_mode):
            raise odd(files.full(blob.path), found.st_mode)
        return "" if found.st_size == blob.size else lost

    yield from _faults(backup, blobs, look)


def _faults(
    backup: Backup, blobs: Mapping[str, Blob], look: Callable[[Beneath, Blob], str]
) -> Iterator[str]:
    try:
        files = _open_snapshot(backup)
    except OSError as error:
        yield f".: {error.strerror}"
        return
    with files:
        for blob in blobs.values():
            try:
                fault = look(files, blob)
            except OddFileError as error:  # which names what is odd: a link may stand for many
                fault = f"{Path(error.filename).relative_to(files.full(''))}: {error.strerror}"
            except OSError as error:
                fault = f"{blob.path}: cannot be read: {error.strerror}"
            if fault:
                yield fault


def _sum_once(files: Beneath, path: str, sums: dict[tuple[int, int], str]) -> str:
    status = files.status(path)
    file = status.st_dev, status.st_ino
    if file not in sums:
        with files.opened(path) as descriptor:
            sums[file] = sum_of(descriptor, files.full(path))
    return sums[file]


def damaged(blob: Blob) -> ActionError:
    return ActionError(
        "reading the backup", f"{blob.path}: its SHA-256 sum is not that of the list"
    )


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # of an upload that ended
        raise error
