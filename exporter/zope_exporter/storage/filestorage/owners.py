"""What the processes that own a Data.fs have open, as /proc/PID/fd shows it."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .errors import OwnerHiddenError

DELETED = " (deleted)"
Identity = tuple[int, int]  # device and inode
SUFFIXES = ("", ".old", ".pack", ".lock", ".index.index_tmp")


class OpenFile(NamedTuple):
    """A file an owner has open: its path now, which file it is, whether it may be written."""

    path: str
    identity: Identity
    writable: bool


def open_files(pid: int, data_fs: Path, proc: Path = Path("/proc")) -> list[OpenFile]:
    """Return which of a Data.fs and the files ZODB keeps beside it a process has open.

    A process that is gone has none. Raises OwnerHiddenError without the rights to look.
    """
    try:
        directory = os.open(proc / str(pid) / "fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return list(_open_files(directory, _paths(data_fs)))
        finally:
            os.close(directory)
    except (FileNotFoundError, ProcessLookupError):
        return []
    except PermissionError as error:
        raise OwnerHiddenError(
            f"which files process {pid} has open cannot be seen: run the exporter as the same user"
            " or as root, or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
        ) from error


def writes_elsewhere(files: Iterable[OpenFile], current: Identity) -> bool:
    """Tell whether an owner writes to another file than the one now at the path (`current`).

    Who has the lock file open has a Data.fs open for writing, whatever became of its name; only a
    start, an end and a pack have a moment without.
    """
    written = [file for file in files if file.writable]
    locked = any(file.path.removesuffix(DELETED).endswith(".lock") for file in written)
    return locked and all(file.identity != current for file in written)


def _open_files(directory: int, paths: frozenset[str]) -> Iterable[OpenFile]:
    for number in os.listdir(directory):
        with suppress(FileNotFoundError):  # closed meanwhile
            path = os.readlink(number, dir_fd=directory)
            if path.removesuffix(DELETED) in paths:
                found = os.stat(number, dir_fd=directory)
                link = os.stat(number, dir_fd=directory, follow_symlinks=False)
                # The link's own permissions are the mode the file was opened with.
                writable = bool(link.st_mode & 0o200)
                yield OpenFile(path, (found.st_dev, found.st_ino), writable)


def _paths(data_fs: Path) -> frozenset[str]:
    # ZODB puts the other files beside the name it was given, even where that is a symbolic link.
    beside = os.path.realpath(data_fs.parent) + "/" + data_fs.name
    return frozenset({os.path.realpath(data_fs), *(beside + suffix for suffix in SUFFIXES)})
