"""A Data.fs and the files beside it, looked at and opened without blocking or changing anything."""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.system import foreign_file
from zope_exporter.system.foreign_root import is_gone, real_path
from zope_exporter.system.open_files import Identity

UNFINISHED = (".pack", ".index.index_tmp")
CUT_OFF = re.compile(r"\.tr\d+")

# A pack closes its file shortly before the renames; and while it skips garbage it writes nothing.
QUIET_SECONDS = 60.0
QUIET_SECONDS_UNSEEN = 3600.0


class FileStorageError(Exception):
    """A Data.fs, or who has it open, could not be read as it should."""


class DataFileMissingError(FileStorageError):
    """There is no Data.fs; for some milliseconds also while a pack puts the new one in place."""


class NotAFileStorageError(FileStorageError):
    """The file is no regular file, or does not begin like a FileStorage."""


class UnreadableError(FileStorageError):
    """The operating system does not let us read the file."""


class TornTailError(FileStorageError):
    """The file does not end with a whole transaction: one is being written, or was cut off.

    `modified` is when the file last changed, in seconds since the epoch.
    """

    def __init__(self, message: str, modified: float) -> None:
        super().__init__(message)
        self.modified = modified


class RestlessError(FileStorageError):
    """A place in the file was another at every look, as no writer that commits leaves it."""


class OwnerHiddenError(FileStorageError):
    """The open files of a process cannot be seen without more rights."""


def status(path: Path) -> os.stat_result:
    """Return the stat of a Data.fs that is there and is a regular file."""
    try:
        found = path.stat()
    except OSError as error:
        raise _named(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise NotAFileStorageError(
            f"{path} is not a regular file: correct the path of this FileStorage in zope.conf or"
            " zeo.conf"
        )
    return found


def file_state(found: os.stat_result) -> tuple[int, ...]:
    """Return what is another after each change of a file, and if another file has its name."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def room(path: Path) -> os.statvfs_result:
    """Return the state of the file system a Data.fs is on, even while the file is not there."""
    directory = Path(real_path(path)).parent
    try:
        return os.statvfs(directory)
    except OSError as error:
        raise _unreadable(
            path,
            f"{directory}, the directory of the Data.fs, cannot be looked at: {error.strerror};"
            " is its file system mounted?",
        ) from error


def files_beside(data_fs: Path) -> dict[str, os.stat_result]:
    """Return the stat of each regular file named as the Data.fs with a suffix, by suffix."""
    try:
        return dict(_beside(data_fs))
    except OSError as error:
        raise _unreadable(
            data_fs,
            f"{data_fs.parent} cannot be listed: {error.strerror}; the exporter needs the right to"
            " read the directory of the Data.fs",
        ) from error


def leftover_bytes(
    beside: dict[str, os.stat_result], held: Callable[[], Collection[Identity] | None], now: float
) -> int:
    """Sum up what died packs and index saves, and transactions cut off at a start, left behind.

    `held` tells what the owners have open, None if that is unknown; it is asked only when needed.
    A file that is held or was written to of late belongs to work in progress; where holders are
    unknown, only an hour without a change tells. Data.fs.tmp does not count: the next commit uses
    it again.
    """
    cut_off = sum(found.st_size for suffix, found in beside.items() if CUT_OFF.fullmatch(suffix))
    unfinished = [beside[suffix] for suffix in UNFINISHED if suffix in beside]
    if not unfinished:
        return cut_off
    holders = held()
    quiet = QUIET_SECONDS_UNSEEN if holders is None else QUIET_SECONDS
    return cut_off + sum(
        found.st_size
        for found in unfinished
        if (found.st_dev, found.st_ino) not in (holders or ()) and now - found.st_mtime > quiet
    )


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give a descriptor for reading, and name any OSError that comes up before it is closed."""
    try:
        with foreign_file.opened(path) as descriptor:
            yield descriptor
    except OSError as error:
        raise _named(path, error) from error


def _named(path: Path, error: OSError) -> FileStorageError:
    if isinstance(error, FileNotFoundError) and not is_gone(path):
        return DataFileMissingError(_rescue(path))
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "; run the exporter as the user of Zope or ZEO, or in the group of the file"
    return _unreadable(path, f"{path} cannot be read: {error.strerror}{remedy}")


def _unreadable(path: Path, text: str) -> UnreadableError:
    """What keeps us from a Data.fs, unless it is that its container has ended."""
    if is_gone(path):
        text = (
            f"{path} is in a container that is not running, so nothing is known of it"
            " (start the container again)"
        )
    return UnreadableError(text)


def _rescue(path: Path) -> str:
    pack, old = (path.with_name(path.name + suffix) for suffix in (".pack", ".old"))
    if pack.exists() and old.exists():
        how = f"a pack was aborted while replacing it: rename {pack.name} back to {path.name}"
    elif old.exists():
        how = f"restore a backup, or {old.name}, which ends at the last pack"
    else:
        how = "restore a backup, unless this site is new"
    return (
        f"{path} is missing. Do not start or stop anything yet: what runs may have it open, and a"
        " start makes an empty database and deletes the blobs. First read /docs/recovery, then"
        f" {how}"
    )


def _beside(data_fs: Path) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(data_fs.parent) as entries:
        for entry in entries:
            if entry.name.startswith(data_fs.name):
                try:
                    found = entry.stat()
                except FileNotFoundError:  # renamed or removed meanwhile
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield entry.name.removeprefix(data_fs.name), found
