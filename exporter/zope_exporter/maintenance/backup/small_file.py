"""Reading the files of a repository, in which anybody may have put something else."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20
LINK = "it is a symbolic link, and none is followed: move what it leads to in its place"


class OddFileError(OSError):
    """What has the name is no regular file; to open it could hang, or lead elsewhere."""


def open_regular(path: Path, dir_fd: int | None = None) -> int:
    """Open a regular file for reading. Raises OddFileError for all else, and OSError.

    With `dir_fd`, the last part of the path is looked up in that directory.
    """
    name = path if dir_fd is None else path.name
    # A look first: opening alone has effects on some devices. And a look after: it may be swapped.
    before = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if not stat.S_ISREG(before.st_mode):
        raise odd(path, before.st_mode)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(name, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise odd(path, stat.S_IFLNK) from error
        raise
    found = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(found):
        os.close(descriptor)
        raise odd(path, found)
    return descriptor


def chunks(descriptor: int, path: Path) -> Iterator[bytes]:
    """Yield what is in an open file; OddFileError if it becomes longer meanwhile.

    Else a file that grows as fast as it is read would have no end.
    """
    left = os.fstat(descriptor).st_size
    while data := os.read(descriptor, CHUNK):
        left -= len(data)
        if left < 0:
            raise OddFileError(errno.EINVAL, "it grew while it was read", str(path))
        yield data


def read_small(path: Path, largest: int) -> bytes:
    """Return what is in a regular file, at most that many bytes."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(largest)


def odd(path: Path, mode: int) -> OddFileError:
    """Return the error of a path where there is something else than should be."""
    reason = LINK if stat.S_ISLNK(mode) else "it is not a regular file"
    return OddFileError(errno.EINVAL, reason, str(path))
