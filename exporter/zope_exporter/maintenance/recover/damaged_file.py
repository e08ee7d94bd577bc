"""Reading a file in which anything may be wrong: what is not there is short or None, no error.

The data of a record may be as a storage that wraps the FileStorage has changed them.
"""

import os
import zlib
from io import BytesIO
from pathlib import Path
from pickletools import genops
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zope_exporter.storage.filestorage.datafile import UnreadableError
from zope_exporter.storage.filestorage.format import (
    LENGTH,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
)
from zope_exporter.storage.filestorage.pickle_machine import PICKLES
from zope_exporter.storage.filestorage.records import PYTHON_2, unpacked

WINDOW = 1 << 16
LARGEST_READ = 1 << 30


class Header(NamedTuple):
    """What the header of a transaction says; `sizes` are those of user, description, extension."""

    tid: int
    length: int
    status: bytes
    sizes: tuple[int, int, int]

    @property
    def size(self) -> int:
        return TRANSACTION_HEADER.size + sum(self.sizes)


class RecordHeader(NamedTuple):
    """What the header of a record says; `back` is a pointer only if the length is 0."""

    oid: int
    tid: int
    previous: int
    start: int
    version: int
    length: int
    back: int

    @property
    def size(self) -> int:
        return RECORD_HEADER.size + self.length if self.length else RECORD.size


class DamagedFile:
    """A file open for reading; small reads that go forwards come out of a window."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._base = 0
        self._window = b""

    def read(self, size: int, position: int) -> bytes:
        """Return what there is of that many bytes."""
        begin = position - self._base
        if 0 <= begin <= len(self._window) - size:
            return self._window[begin : begin + size]
        if not 0 <= position < self.size:
            return b""
        size = min(size, self.size - position)
        if size > WINDOW // 2:
            return self._whole(size, position)
        self._base, self._window = position, os.pread(self._descriptor, WINDOW, position)
        return self._window[:size]

    def exactly(self, size: int, position: int) -> bytes:
        """Return that many bytes, which were there before."""
        found = self.read(size, position)
        if len(found) < size:
            raise self.changed()
        return found

    def changed(self) -> UnreadableError:
        return UnreadableError(f"{self.path} changed while it was read: stop what writes it")

    def header(self, position: int) -> Header | None:
        raw = self.read(TRANSACTION_HEADER.size, position)
        if len(raw) < TRANSACTION_HEADER.size:
            return None
        tid, length, status, *sizes = TRANSACTION_HEADER.unpack(raw)
        return Header(tid, length, status, tuple(sizes))

    def record(self, position: int) -> RecordHeader | None:
        raw = self.read(RECORD.size, position)
        return RecordHeader._make(RECORD.unpack(raw)) if len(raw) == RECORD.size else None

    def number(self, position: int) -> int | None:
        raw = self.read(LENGTH.size, position)
        return int.from_bytes(raw, "big") if len(raw) == LENGTH.size else None

    def _whole(self, size: int, position: int) -> bytes:
        parts = []
        while size:
            part = os.pread(self._descriptor, min(size, LARGEST_READ), position)
            if not part:
                break
            parts.append(part)
            position, size = position + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def numbers(block: bytes) -> npt.NDArray[np.uint64]:
    """Return the eight bytes at each offset as a number."""
    count = max(len(block) - LENGTH.size + 1, 0)
    return np.ndarray((count,), ">u8", block, strides=(1,)).astype(np.uint64)


def is_whole(data: bytes) -> bool:
    """Tell whether these bytes are the two pickles of a record, neither more nor less."""
    try:
        return _are_pickles(unpacked(data), PICKLES)
    except (zlib.error, MemoryError):
        return False


def is_pickle(data: bytes) -> bool:
    """Tell whether these bytes are one pickle."""
    return _are_pickles(data, 1)


def _are_pickles(data: bytes, count: int) -> bool:
    stream = BytesIO(data)
    try:
        for _ in range(count):
            for _ in genops(stream):  # takes them apart, and runs nothing
                pass
    except Exception:  # whatever it finds wrong with what are no pickles
        return False
    return stream.tell() == len(data)


def is_of_python_2(data: bytes) -> bool:
    """Tell by the version of the pickle which Python a storage is of."""
    try:
        return unpacked(data).startswith(PYTHON_2)
    except zlib.error:
        return False
