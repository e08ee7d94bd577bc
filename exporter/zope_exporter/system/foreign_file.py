"""Reading files that somebody else chose, without trusting their kind or their size.

Whoever writes a zope.conf or starts a process names them. Opening a FIFO waits for a writer,
opening a device alone may rewind a tape or arm a watchdog, and /dev/zero has no end.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .foreign_root import open_there
from .fsync import named

CHUNK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class NotRegularError(OSError):
    """What has the name is not a regular file; `reason`, also its strerror, says what it is."""

    def __init__(self, path: Path, mode: int) -> None:
        self.mode = mode
        self.reason = f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a regular file"
        super().__init__(errno.EINVAL, self.reason, str(path))


class ForeignFileError(Exception):
    """A file cannot be read: names it, the reason and the remedy, and never quotes it."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


@contextmanager
def opened(path: Path, dir_fd: int | None = None, follow_links: bool = True) -> Iterator[int]:
    """Give a descriptor for reading a regular file; raises OSError, for all else NotRegularError.

    It never waits for another process; only a file system that hangs can keep it. With `dir_fd`,
    the last part of the path is looked up in that directory.
    """
    name = path if dir_fd is None else path.name
    # A look first: opening alone has effects on some devices.
    _refuse_others(path, os.stat(name, dir_fd=dir_fd, follow_symlinks=follow_links))
    flags = _FLAGS | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = open_there(name, flags, dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise NotRegularError(path, stat.S_IFLNK) from error
        raise
    try:
        _refuse_others(path, os.fstat(descriptor))  # another one may have the name by now
        yield descriptor
    finally:
        os.close(descriptor)


def read(path: Path, largest: int) -> bytes:
    """Return what is in a regular file of at most `largest` bytes; raises ForeignFileError."""
    try:
        with opened(path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size == 0:
                # Those of the kernel say so too, and what is read of /proc/kmsg is lost to others.
                return b""
            if size <= largest:
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    content = file.read(largest + 1)
                if len(content) <= largest:  # it may have grown since
                    return content
    except NotRegularError as error:
        raise ForeignFileError(path, error.reason, "name a regular file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a possible file name"
        remedy = "correct the path, or let the exporter's user read the file"
        raise ForeignFileError(path, reason, remedy) from error
    raise ForeignFileError(path, f"larger than {largest} bytes", "is this the right file?")


def chunks(descriptor: int, path: Path, may_grow: bool = False) -> Iterator[bytes]:
    """Yield what is in an open file; raises OSError, also if it becomes longer meanwhile.

    Else a file that grows as fast as it is read would have no end.
    """
    with named(path):
        left = os.fstat(descriptor).st_size
    while True:
        with named(path):
            data = os.read(descriptor, CHUNK)
        left -= len(data)
        if left < 0 and not may_grow:
            raise OSError(errno.EINVAL, "it grew while it was read", str(path))
        if not data:
            return
        yield data


def _refuse_others(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(path, status.st_mode)
