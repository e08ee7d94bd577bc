"""The blobs of a backup, in a directory by its stamp: which they are, and whether all are whole."""

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .beneath import Beneath, OddFileError, odd, read_small
from .manifest import BlobList
from .pieces import sum_of
from .repository import Backup
from .stamps import BLOBS

PATH = r"(?:0x[0-9a-f]{2,16}/)+0x[0-9a-f]{16}\.blob"
LINE = re.compile(rf"([0-9a-f]{{64}}) ([0-9]{{1,19}}) ({PATH}|\.layout)")
LARGEST = 1 << 30
SUFFIX = ".blobs"


class Blob(NamedTuple):
    """A file in a snapshot, by its path in it."""

    sha256: str
    size: int
    path: str


def open_snapshot(backup: Backup) -> Beneath:
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
        files = open_snapshot(backup)
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
