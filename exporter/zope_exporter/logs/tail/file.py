"""Opening a log, compressed or not, without ever waiting for a writer."""

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Protocol

from .compression import MAGIC_LENGTH, Decompressed, decompressor
from .errors import NotALogError

Identity = tuple[int, int]  # device and inode
_NULS_READ = 1 << 30
_BLOCK = 1 << 20


class LogFile(Protocol):
    """A file of a log, open for reading under whatever name it has by now."""

    path: str
    identity: Identity
    growing: bool  # False where nothing can be added any more

    def read(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes, fewer only at the end. Raises OSError."""

    def unread(self, offset: int) -> int:
        """Return the number of bytes from `offset` on, as far as that is known."""

    def modified(self) -> int:
        """Return when it was last written to, in nanoseconds since the epoch. Raises OSError."""

    def data_start(self) -> int:
        """Return an offset before which there is nothing but NUL bytes, as far as is known."""

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
        name = os.fspath(path)
        content = decompressor(name, raw, os.pread(raw.fileno(), MAGIC_LENGTH, 0))
        return (
            CompressedLog(name, identity, raw, content)
            if content
            else PlainLog(name, identity, raw)
        )
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

    def modified(self) -> int:
        return os.fstat(self._raw.fileno()).st_mtime_ns

    def data_start(self) -> int:
        try:
            return os.lseek(self._raw.fileno(), 0, os.SEEK_DATA)
        except OSError:  # a file system without holes, or a file of nothing else
            return 0

    def deleted(self) -> bool:
        return os.fstat(self._raw.fileno()).st_nlink == 0

    def close(self) -> None:
        self._raw.close()


class CompressedLog:
    """A rotated log that was compressed; offsets are those of its content."""

    growing = False

    def __init__(self, path: str, identity: Identity, raw: FileIO, content: Decompressed) -> None:
        self.path = path
        self.identity = identity
        self._raw = raw
        self._content = content

    def read(self, length: int, offset: int) -> bytes:
        return self._content.read(length, offset)

    def unread(self, offset: int) -> int:  # noqa: ARG002
        return 0

    def modified(self) -> int:
        return os.fstat(self._raw.fileno()).st_mtime_ns

    def data_start(self) -> int:
        return 0

    def deleted(self) -> bool:
        return False

    def close(self) -> None:
        self._content.close()
        self._raw.close()


def first_bytes(file: LogFile, length: int) -> bytes:
    """Return the first bytes of a log, without NUL bytes before them. Raises OSError.

    A process that does not append goes on where it was after copytruncate, which leaves a hole.
    """
    start = file.data_start()
    end = start + _NULS_READ
    while start < end and (block := file.read(_BLOCK if start else length, start)):
        data = block.lstrip(b"\0")
        start += len(block) - len(data)
        if data:
            return data[:length] if len(data) >= length else file.read(length, start)
    return b""
