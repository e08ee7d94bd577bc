"""Looking at and opening a Data.fs without blocking, locking or changing anything."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.system import foreign_file

from .errors import DataFileMissingError, FileStorageError, NotAFileStorageError, UnreadableError


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


def room(path: Path) -> os.statvfs_result:
    """Return the state of the file system a Data.fs is on, even while the file is not there."""
    directory = Path(os.path.realpath(path)).parent
    try:
        return os.statvfs(directory)
    except OSError as error:
        raise UnreadableError(
            f"{directory}, the directory of the Data.fs, cannot be looked at: {error.strerror};"
            " is its file system mounted?"
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give a descriptor for reading, and name any OSError that comes up before it is closed."""
    try:
        with foreign_file.opened(path) as descriptor:
            yield descriptor
    except OSError as error:
        raise _named(path, error) from error


def _named(path: Path, error: OSError) -> FileStorageError:
    if isinstance(error, FileNotFoundError):
        return DataFileMissingError(_rescue(path))
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "; run the exporter as the user of Zope or ZEO, or in the group of the file"
    return UnreadableError(f"{path} cannot be read: {error.strerror}{remedy}")


def _rescue(path: Path) -> str:
    pack, old = (path.with_name(path.name + suffix) for suffix in (".pack", ".old"))
    if pack.exists() and old.exists():
        how = f"a pack died while replacing it: rename {pack.name} back to {path.name}"
    elif old.exists():
        how = f"restore a backup, or {old.name}, which ends at the last pack"
    else:
        how = "restore a backup, unless this site is new"
    return (
        f"{path} is missing. Stop Zope and ZEO and do not start them: a start makes an empty"
        f" database and deletes the blobs. Then {how}"
    )
