"""The files of a log, compressed or not: opening them without ever waiting for a writer."""

import os
import re
import time
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from zope_exporter.system.foreign_file import NotRegularError, opened

Identity = tuple[int, int]  # device and inode

# Of a compressed file what was read is kept as far back as a reader goes: a line of the longest
# kind, and what it is known again by. To go back any further all is decompressed anew.
KEPT = (1 << 20) + 4096
_CHUNK = 1 << 20
_NULS_READ = 1 << 30
_BLOCK = 1 << 20

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CLF = re.compile(
    rb"^[^\n]{0,2000}?\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\]"
)
_EVENT = re.compile(
    rb"^(?:-{4,}\r?\n)?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,]\d+)? ?(Z|[+-]\d\d:?\d\d)?"
)


class LogError(Exception):
    """A log cannot be read as it should: names the file and the remedy."""


class LogMissingError(LogError):
    """There is no such file."""


class NotALogError(LogError):
    """The path leads to a directory, a FIFO or a device."""


class LogUnreadableError(LogError):
    """The operating system does not let us read the file."""


class CompressionUnknownError(LogError):
    """The file is compressed in a way that is not read here."""


class ContentChangedError(LogError):
    """The file no longer holds what has been read of it: it was truncated or written anew."""


def named(path: str | os.PathLike[str], error: OSError) -> LogError:
    """Say what an error of the operating system means for a log."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        directory = Path(path).parent
        return LogMissingError(
            f"{path} is missing: does Zope log elsewhere, or is {directory} not mounted?"
        )
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "; run the exporter as the user of Zope, or in the group of the file"
    return LogUnreadableError(f"{path} cannot be read: {error.strerror or error}{remedy}")


class LogFile:
    """A file of a log, open for reading under whatever name it has by now."""

    growing = True  # False where nothing can be added any more

    def __init__(self, path: str, identity: Identity, raw: FileIO) -> None:
        self.path = path
        self.identity = identity
        self._raw = raw

    def read(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes, fewer only at the end. Raises OSError."""
        return os.pread(self._raw.fileno(), length, offset)

    def unread(self, offset: int) -> int:
        """Return the number of bytes from `offset` on, as far as that is known."""
        return max(0, os.fstat(self._raw.fileno()).st_size - offset)

    def modified(self) -> int:
        """Return when it was last written to, in nanoseconds since the epoch. Raises OSError."""
        return os.fstat(self._raw.fileno()).st_mtime_ns

    def data_start(self) -> int:
        """Return an offset before which there is nothing but NUL bytes, as far as is known."""
        try:
            return os.lseek(self._raw.fileno(), 0, os.SEEK_DATA)
        except OSError:  # a file system without holes, or a file of nothing else
            return 0

    def deleted(self) -> bool:
        """Tell whether the file has no name any more, so that only we keep it."""
        return os.fstat(self._raw.fileno()).st_nlink == 0

    def close(self) -> None:
        self._raw.close()


class _Content(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...

    def close(self) -> None: ...


class CompressedLog(LogFile):
    """A rotated log that was compressed; offsets are those of its content.

    It is decompressed in one pass as long as nobody goes back far.
    """

    growing = False

    def __init__(self, path: str, identity: Identity, raw: FileIO, content: _Content) -> None:
        super().__init__(path, identity, raw)
        self._content = content
        self._kept = bytearray()
        self._kept_from = 0

    def read(self, length: int, offset: int) -> bytes:
        if offset < self._kept_from:
            self._content.seek(0)
            self._kept.clear()
            self._kept_from = 0
        while (missing := offset + length - self._kept_from - len(self._kept)) > 0:
            chunk = self._next(min(missing, _CHUNK))
            if not chunk:
                break
            self._kept += chunk
            self._forget(offset)
        start = offset - self._kept_from
        return bytes(self._kept[start : start + length])

    def unread(self, offset: int) -> int:  # noqa: ARG002  only decompressing all would tell
        return 0

    def data_start(self) -> int:
        return 0

    def deleted(self) -> bool:
        return False

    def close(self) -> None:
        self._content.close()
        super().close()

    def _next(self, length: int) -> bytes:
        try:
            return self._content.read(length)
        except OSError:
            raise
        except Exception as error:  # zlib and lzma have exceptions of their own
            raise OSError(f"{self.path} is not whole: {error}") from error

    def _forget(self, wanted: int) -> None:
        """Let go of what lies further back than anybody will ask for."""
        superfluous = min(wanted, self._kept_from + len(self._kept)) - KEPT - self._kept_from
        if superfluous >= _CHUNK:  # in large pieces: what remains is moved each time
            del self._kept[:superfluous]
            self._kept_from += superfluous


def _gzip(raw: FileIO) -> _Content:
    import gzip

    return gzip.GzipFile(fileobj=raw)


def _bzip2(raw: FileIO) -> _Content:
    import bz2  # a Python may have been built without

    return bz2.BZ2File(raw)


def _xz(raw: FileIO) -> _Content:
    import lzma

    return lzma.LZMAFile(raw)


class _Kind(NamedTuple):
    suffix: str
    magic: bytes
    decompress: Callable[[FileIO], _Content]


_KINDS = (
    _Kind(".gz", b"\x1f\x8b", _gzip),
    _Kind(".bz2", b"BZh", _bzip2),
    _Kind(".xz", b"\xfd7zXZ\0", _xz),
)
_NOT_READ = (".zst", ".lz4", ".lz", ".lzo", ".lzma", ".Z", ".br", ".zip", ".7z")
SUFFIXES = (*(kind.suffix for kind in _KINDS), *_NOT_READ)


def open_log(path: str | os.PathLike[str]) -> LogFile:
    """Open a log or a rotated file of it.

    Raises OSError, NotALogError, CompressionUnknownError.
    """
    try:
        with opened(Path(path)) as descriptor:
            raw = FileIO(os.dup(descriptor))
    except NotRegularError:
        raise NotALogError(
            f"{path} is not a regular file: name the file that Zope writes"
        ) from None
    try:
        status = os.fstat(raw.fileno())
        return _of_kind(os.fspath(path), (status.st_dev, status.st_ino), raw)
    except BaseException:
        raw.close()
        raise


def _of_kind(path: str, identity: Identity, raw: FileIO) -> LogFile:
    start = os.pread(raw.fileno(), max(len(kind.magic) for kind in _KINDS), 0)
    for kind in _KINDS:
        if start.startswith(kind.magic):
            try:
                return CompressedLog(path, identity, raw, kind.decompress(raw))
            except ImportError as error:
                raise OSError(f"{path} needs a Python that reads {kind.suffix}: {error}") from error
    if path.endswith(_NOT_READ):
        raise CompressionUnknownError(
            f"{path} cannot be read: have it compressed by gzip, bzip2 or xz"
        )
    return LogFile(path, identity, raw)


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


def first_timestamp(head: bytes) -> float | None:
    """Return the time of a log's first line in seconds since the epoch, None where it has none.

    Common log format names its zone; an event log mostly does not and is then read as local time.
    """
    if access := _CLF.match(head):
        day, month, year, clock, zone = access.groups()
        number = _MONTHS.index(month) + 1 if month in _MONTHS else 0
        return _timestamp(b"%s-%02d-%s" % (year, number, day), clock, zone)
    if event := _EVENT.match(head):
        return _timestamp(event[1], event[2], (event[3] or b"").replace(b"Z", b"+0000"))
    return None


def _timestamp(day: bytes, clock: bytes, zone: bytes) -> float | None:
    text = b"%s %s%s" % (day, clock, zone.replace(b":", b""))
    try:
        if zone:
            return datetime.strptime(text.decode(), "%Y-%m-%d %H:%M:%S%z").timestamp()
        return time.mktime(time.strptime(text.decode(), "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None
