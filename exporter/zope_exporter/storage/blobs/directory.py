"""The blob directory of a storage: how much is in it, and what no one will use again.

Only directories and file attributes are read, never a blob's data, and no symbolic link followed.
"""

import os
import re
import time
from binascii import Error as NotHexadecimalError
from binascii import unhexlify
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zope_exporter.system.foreign_file import opened
from zope_exporter.system.foreign_root import is_gone

# An upload in progress touches its file all the time; no request lasts a day.
ABANDONED_SECONDS = 24 * 3600.0
# A pack lists the blobs to remove while it copies, and removes them soon after.
DIED_SECONDS = 3600.0
# ZODB's layouts go down at most eight directories.
DEEPEST = 16
LONGEST_LINE = 64
# Of what ZODB makes at the first start, or of a blob's own directory.
OF_ZODB = re.compile(r"\.layout|tmp|0x[0-9a-f]+")
# In a directory of something else there may be any number of entries.
LOOKED_AT = 1000


class BlobError(Exception):
    """A blob directory cannot be walked: names the directory, the reason and the remedy."""


class StoppedError(Exception):
    """The walk was told to end early."""


@dataclass(frozen=True)
class BlobUsage:
    """What a walk has found, sizes in bytes.

    `files` and `size` are the committed blobs. `old_size` is what only the `.old` directory holds,
    `abandoned` the files of commits and uploads that died, `undeleted` the blobs a pack that died
    has taken out of the database but not removed.
    """

    files: int
    size: int
    old_size: int
    abandoned: int
    undeleted: int


def look(blob_dir: Path) -> None:
    """Raise BlobError, as a walk would, if the directory is not there or may not be read."""
    try:
        os.scandir(blob_dir).close()
    except OSError as error:
        raise _named(error, blob_dir) from error


def is_present(blob_dir: Path) -> bool | None:
    """Tell whether it is a blob directory; None if that cannot be seen.

    Where its file system is not mounted there is none, or an empty one.
    """
    try:
        with os.scandir(blob_dir) as entries:
            return any(OF_ZODB.fullmatch(entry.name) for entry in islice(entries, LOOKED_AT))
    except (FileNotFoundError, NotADirectoryError):
        return None if is_gone(blob_dir) else False
    except OSError:
        return None


def measure(
    blob_dir: Path,
    data_fs: Path,
    seen: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.time,
) -> BlobUsage:
    """Walk the blob directory and its `.old`; `seen` is called for each file and may raise.

    Raises BlobError.
    """
    try:
        files, size, abandoned = _in_use(blob_dir, seen, clock)
        old_size = _old_size(blob_dir, seen)
        undeleted = _undeleted(blob_dir, data_fs, seen, clock())
    except OSError as error:
        raise _named(error, blob_dir) from error
    return BlobUsage(files, size, old_size, abandoned, undeleted)


def _in_use(
    blob_dir: Path, seen: Callable[[], object], clock: Callable[[], float]
) -> tuple[int, int, int]:
    files = size = abandoned = 0
    inside = f"{blob_dir}/"
    for entry, status in _files(blob_dir, seen):
        path = entry.path.removeprefix(inside)
        # ZODB's own notes are at the top, and what a restore keeps is in a hidden directory.
        if path.startswith("."):
            continue
        if entry.name.endswith(".blob"):
            files += 1
            size += status.st_size
        elif "/" in path and clock() - status.st_mtime > ABANDONED_SECONDS:
            abandoned += status.st_size
    return files, size, abandoned


def _old_size(blob_dir: Path, seen: Callable[[], object]) -> int:
    old = blob_dir.with_name(blob_dir.name + ".old")
    try:
        # Beside the removed blobs a pack puts hard links to all that stayed.
        return sum(status.st_size for _, status in _files(old, seen) if status.st_nlink == 1)
    except FileNotFoundError:
        return 0


def _files(
    root: Path, seen: Callable[[], object]
) -> Iterator[tuple["os.DirEntry[str]", os.stat_result]]:
    # One open listing a level: the lawn layout has a directory of a million entries.
    levels = [os.scandir(root)]
    try:
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop().close()
            elif entry.is_dir(follow_symlinks=False):
                _check_depth(entry.path, len(levels))
                with suppress(FileNotFoundError):  # removed by a pack meanwhile
                    levels.append(os.scandir(entry.path))
            elif entry.is_file(follow_symlinks=False):
                seen()
                with suppress(FileNotFoundError):
                    yield entry, entry.stat(follow_symlinks=False)
    finally:
        for listing in levels:
            listing.close()


def _check_depth(directory: str, depth: int) -> None:
    if depth >= DEEPEST:
        raise BlobError(f"{directory} is deeper than any blob directory: correct blob-dir")


def _undeleted(blob_dir: Path, data_fs: Path, seen: Callable[[], object], now: float) -> int:
    """Sum up the blobs that a pack which died after it replaced the Data.fs still lists.

    Before that the Data.fs still knows them all and the next pack lists them again. A pack removes
    Data.fs.old when it begins, so one that is there tells that the replacing was done.
    """
    replaced = data_fs.with_name(data_fs.name + ".old").exists()
    if not replaced or data_fs.with_name(data_fs.name + ".pack").exists():
        return 0
    list_of_removed = blob_dir / ".removed"
    try:
        with opened(list_of_removed) as descriptor:
            if now - os.fstat(descriptor).st_mtime < DIED_SECONDS:
                return 0
            lawn = _is_lawn(blob_dir)
            with os.fdopen(descriptor, "rb", closefd=False) as lines:
                return sum(
                    _size_of(blob_dir, line, lawn, seen)
                    for line in iter(lambda: lines.readline(LONGEST_LINE), b"")
                )
    except FileNotFoundError:
        return 0


def _is_lawn(blob_dir: Path) -> bool:
    try:
        with opened(blob_dir / ".layout") as descriptor:
            return os.read(descriptor, LONGEST_LINE).strip() == b"lawn"
    except FileNotFoundError:
        return True  # from before there was a choice


def _size_of(blob_dir: Path, line: bytes, lawn: bool, seen: Callable[[], object]) -> int:
    """The bytes of an object's blobs, or of one revision, as a line of `.removed` names them."""
    seen()  # also for a line that names nothing: of those there may be no end
    try:
        ids = unhexlify(line.strip())
    except NotHexadecimalError:
        return 0  # the last line of a pack killed while writing it
    oid, tid = ids[:8], ids[8:]
    if len(oid) < 8 or len(tid) not in (0, 8):
        return 0
    name = f"0x{int.from_bytes(oid, 'big'):016x}" if lawn else "/".join(f"0x{b:02x}" for b in oid)
    try:
        if tid:
            return (blob_dir / name / f"0x{int.from_bytes(tid, 'big'):016x}.blob").lstat().st_size
        with os.scandir(blob_dir / name) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except FileNotFoundError:
        return 0


def _named(error: OSError, root: Path) -> BlobError:
    remedy = "is its file system mounted, and blob-dir in zope.conf right?"
    if isinstance(error, PermissionError):
        remedy = "run the exporter as the user of Zope or ZEO, or in the group of the directory"
    return BlobError(f"{error.filename or root} cannot be read: {error.strerror}; {remedy}")
