"""What a process has open, as /proc/PID/fd shows it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

Identity = tuple[int, int]  # device and inode
GONE = (FileNotFoundError, ProcessLookupError)
DELETED = " (deleted)"


class OpenFile(NamedTuple):
    """A file a process has open: its path now, which file it is, whether it may be written."""

    path: str
    identity: Identity
    writable: bool


def open_files(process: Path, is_wanted: Callable[[str, str], bool]) -> list[OpenFile]:
    """Return the wanted ones of the files that a process, given by its place in /proc, has open.

    `is_wanted` is given the path, which a file that was deleted keeps, and the place in
    /proc/PID/fdinfo: no other file is looked at, as that may hang. A process that is gone has none.
    Raises PermissionError without the rights to look.
    """
    with suppress(*GONE):
        directory = os.open(process / "fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return list(_open_files(directory, f"{process}/fdinfo", is_wanted))
        finally:
            os.close(directory)
    return []


def _open_files(
    directory: int, fdinfo: str, is_wanted: Callable[[str, str], bool]
) -> Iterator[OpenFile]:
    for number in os.listdir(directory):
        with suppress(*GONE):  # closed meanwhile
            path = os.readlink(number, dir_fd=directory).removesuffix(DELETED)
            if is_wanted(path, f"{fdinfo}/{number}"):
                found = os.stat(number, dir_fd=directory)
                link = os.stat(number, dir_fd=directory, follow_symlinks=False)
                # The link's own permissions are the mode the file was opened with.
                writable = bool(link.st_mode & 0o200)
                yield OpenFile(path, (found.st_dev, found.st_ino), writable)
