"""Opening a log, compressed or not, without ever waiting for a writer."""

import gzip
import os
import stat
import zlib
from io import FileIO
from pathlib import Path
from typing import Protocol

from .errors import NotALogError

Identity = tuple[int, int]  # device and inode
GZIP = b"\x1f\x8b"


class LogFile(Protocol):
    """A file of a log, open for reading under whatever name it has by now."""

    path: str
    identity: Identity
    growing: bool  # False where nothing can be added any more

    def read(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes, fewer only at the end. Raises OSError."""

    def unread(self, offset: int) -> int:
        """Return the number of bytes from `offset` on, as far as that is known."""

    def deleted(self) -> bool:
        """Tell whether the file has no name any more, so that only we keep it."""

    def close(self) -> None: ...


def open_log(path: str | os.PathLike[str]) -> LogFile:
    """Open a log or a rotated file of it. Raises OSError, NotALogError."""
    # O_NONBLOCK: a FIFO must not keep us waiting for its writer; O_NOCTTY: nor a terminal take us.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    # A look first: opening alone has effects on some devices, such as a tape.
    _refuse_others(path, Path(path).stat().st_mode)
    raw = FileIO(path, opener=lambda name, _: os.open(name, flags))
    try:
        status = os.fstat(raw.fileno())
        _refuse_others(path, status.st_mode)
        identity = status.st_dev, status.st_ino
        compressed = os.pread(raw.fileno(), len(GZIP), 0) == GZIP
        return (CompressedLog if compressed else PlainLog)(os.fspath(path), identity, raw)
    except BaseException:
        raw.close()
        raise


def _refuse_others(path: str | os.PathLike[str], mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotALogError(f"{path} is not a regular file: name the file that Zope writes")


class PlainLog:
    """A log as it is written."""

    growing = True

    def __init__(self, path: str, identity: Identity, raw: FileIO) -> None:
        self.path = path
        self.identity = identity
        self._raw = raw

    def read(self, length: int, offset: int) -> bytes:
        return os.pread(self._raw.fileno(), length, offset)

    def unread(self, offset: int) -> int:
        return max(0, os.fstat(self._raw.fileno()).st_size - offset)

    def deleted(self) -> bool:
        return os.fstat(self._raw.fileno()).st_nlink == 0

    def close(self) -> None:
        self._raw.close()


class CompressedLog:
    """A rotated log that was compressed with gzip; offsets are those of its content."""

    growing = False

    def __init__(self, path: str, identity: Identity, raw: FileIO) -> None:
        self.path = path
        self.identity = identity
        self._raw = raw
        self._content = gzip.GzipFile(fileobj=raw)

    def read(self, length: int, offset: int) -> bytes:
        try:
            self._content.seek(offset)
            return self._content.read(length)
        except (EOFError, zlib.error) as error:
            raise OSError(f"{self.path} is not whole: {error}") from error

    def unread(self, offset: int) -> int:  # noqa: ARG002
        return 0

    def deleted(self) -> bool:
        return False

    def close(self) -> None:
        self._content.close()
        self._raw.close()
