"""Data.fs.index, read as bytes: whose pickles are run can be made to do anything.

ZODB writes the end of what is indexed, then for each 6 bytes that object ids begin with all the
2-byte ends and all the 6-byte places of the records, then None.
"""

import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from .columns import Unsigned, fitting, zeros
from .datafile import FileStorageError, opened
from .scan_memory import ScanMemory

PREFIX = 6
SUFFIX = 2
LARGEST_BUCKET = (SUFFIX + PREFIX) << (8 * SUFFIX)
NO_MORE = b"N."


class UnusableIndexError(FileStorageError):
    """There is no index, or it is not one, or not one of this Data.fs."""


@dataclass(frozen=True)
class Index:
    """Where the current record of each object is, sorted by object id; it covers up to `end`."""

    end: int
    oids: Unsigned
    positions: Unsigned


def read_index(path: Path, memory: ScanMemory | None = None) -> Index:
    """Read an index file as ZODB has written it since 3.10; all else is an UnusableIndexError."""
    with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as stream:
        most = os.fstat(descriptor).st_size // (SUFFIX + PREFIX)
        return _Pickles(path, stream).index(most, memory or ScanMemory())


class _Pickles:
    def __init__(self, path: Path, stream: BufferedReader) -> None:
        self._path = path
        self._stream = stream

    def index(self, most: int, memory: ScanMemory) -> Index:
        """Return the index of at most that many objects."""
        self._begin()
        end = self._number()
        self._expect(b".")
        oids, positions = zeros(memory, most, np.uint32), zeros(memory, most, np.uint32)
        count, last = 0, -1
        while (bucket := self._bucket()) is not None:
            if int(bucket[0][0]) <= last or not np.all(bucket[0][:-1] < bucket[0][1:]):
                raise self._unusable("its object ids are not in order")
            part = slice(count, count + len(bucket[0]))
            count, last = part.stop, int(bucket[0][-1])
            if count > most:
                raise self._unusable("it grew while it was read")
            oids = fitting(memory, oids, last)
            positions = fitting(memory, positions, int(bucket[1].max()))
            oids[part], positions[part] = bucket
        if self._peek():
            raise self._unusable("something follows its end")
        return Index(end, oids[:count], positions[:count])

    def _begin(self) -> None:
        if self._peek() == b"\x80":  # protocol 1, which has no such mark, is Python 2's
            self._expect(b"\x80")
            if self._take(1) > b"\x05":
                raise self._unusable("an unknown protocol")

    def _number(self) -> int:
        code = self._take(1)
        if code in (b"K", b"M", b"J"):
            return int.from_bytes(self._take({b"K": 1, b"M": 2, b"J": 4}[code]), "little")
        if code == b"\x8a":
            return int.from_bytes(self._take(self._take(1)[0]), "little")
        if code in (b"I", b"L"):
            digits = self._line().removesuffix(b"L")
            if digits.isdigit() and len(digits) < 20:
                return int(digits)
        raise self._unusable("it does not begin with a number")

    def _bucket(self) -> tuple[Unsigned, Unsigned] | None:
        self._begin()
        if self._peek() == b"N":
            self._expect(NO_MORE)
            return None
        marked = self._peek() == b"("
        if marked:
            self._expect(b"(")
        prefix, entries = self._string(), self._string()
        self._expect(b"t." if marked else b"\x86.")
        count, odd = divmod(len(entries), SUFFIX + PREFIX)
        if len(prefix) != PREFIX or odd or not count:
            raise self._unusable("a bucket of the wrong size")
        first = int.from_bytes(prefix, "big") << (8 * SUFFIX)
        suffixes = np.frombuffer(entries, ">u2", count).astype(np.uint64)
        places = np.zeros((count, 8), np.uint8)
        places[:, SUFFIX:] = np.frombuffer(entries, np.uint8, offset=count * SUFFIX).reshape(
            count, PREFIX
        )
        return suffixes + np.uint64(first), places.view(">u8")[:, 0].astype(np.uint64)

    def _string(self) -> bytes:
        code = self._take(1)
        if code not in (b"C", b"U", b"B", b"T"):
            raise self._unusable("no string where one should be")
        size = int.from_bytes(self._take(1 if code in (b"C", b"U") else 4), "little")
        if size > LARGEST_BUCKET:
            raise self._unusable("a bucket of the wrong size")
        return self._take(size)

    def _line(self) -> bytes:
        digits = b""
        while (character := self._take(1)) != b"\n" and len(digits) < 32:
            digits += character
        return digits

    def _expect(self, wanted: bytes) -> None:
        if self._take(len(wanted)) != wanted:
            raise self._unusable("not what ZODB writes")

    def _peek(self) -> bytes:
        return self._stream.peek(1)[:1]

    def _take(self, size: int) -> bytes:
        taken = self._stream.read(size)
        if len(taken) < size:
            raise self._unusable("it ends early")
        return taken

    def _unusable(self, what: str) -> UnusableIndexError:
        return UnusableIndexError(f"{self._path} is not used: {what}")
