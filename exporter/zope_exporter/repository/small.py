"""Reading the small files of a repository, in which anybody may have put something else."""

import errno
import os
import stat
from pathlib import Path


class OddFileError(OSError):
    """What has the name is no regular file; to open it could hang, or lead elsewhere."""


def open_regular(path: Path) -> int:
    """Open a regular file for reading. Raises OddFileError for all else, and OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a symbolic link, a socket
            raise _odd(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _odd(path)
    return descriptor


def read_small(path: Path, largest: int) -> bytes:
    """Return what is in a regular file, at most that many bytes."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(largest)


def _odd(path: Path) -> OddFileError:
    return OddFileError(errno.EINVAL, "it is not a regular file", str(path))
