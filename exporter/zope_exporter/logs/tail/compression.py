"""Rotated logs that were compressed, read from front to end as they are made to be."""

from collections.abc import Callable
from io import FileIO
from typing import NamedTuple, Protocol

# What was read is kept as far back as a reader goes: a line of the longest kind, and what it is
# known again by. To go back any further all is decompressed anew.
KEPT = (1 << 20) + 4096
_CHUNK = 1 << 20


class _Content(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...

    def close(self) -> None: ...


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
SUFFIXES = tuple(kind.suffix for kind in _KINDS)
MAGIC_LENGTH = max(len(kind.magic) for kind in _KINDS)


def decompressor(path: str, raw: FileIO, start: bytes) -> "Decompressed | None":
    """Return the content of a file that starts like a compressed one, None for any other.

    Raises OSError.
    """
    for kind in _KINDS:
        if start.startswith(kind.magic):
            try:
                return Decompressed(path, kind.decompress(raw))
            except ImportError as error:
                raise OSError(f"{path} needs a Python that reads {kind.suffix}: {error}") from error
    return None


class Decompressed:
    """The content of a compressed file, in one pass as long as nobody goes back far."""

    def __init__(self, path: str, content: _Content) -> None:
        self._path = path
        self._content = content
        self._kept = bytearray()
        self._kept_from = 0

    def read(self, length: int, offset: int) -> bytes:
        """Return up to `length` bytes, fewer only at the end. Raises OSError."""
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

    def close(self) -> None:
        self._content.close()

    def _next(self, length: int) -> bytes:
        try:
            return self._content.read(length)
        except OSError:
            raise
        except Exception as error:  # zlib and lzma have exceptions of their own
            raise OSError(f"{self._path} is not whole: {error}") from error

    def _forget(self, wanted: int) -> None:
        """Let go of what lies further back than anybody will ask for."""
        superfluous = min(wanted, self._kept_from + len(self._kept)) - KEPT - self._kept_from
        if superfluous >= _CHUNK:  # in large pieces: what remains is moved each time
            del self._kept[:superfluous]
            self._kept_from += superfluous
