"""Named parts of bytes in one file, which is there as a whole or not at all.

For what is too big for the state file: whoever writes that keeps all others waiting meanwhile.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from .fsync import sync_directory
from .state import StateError, give_to_owner, make_directory

BEGINNING = b"zope-exporter parts 1\n"
LONGEST_HEADER = 1 << 20
UNFINISHED = ".new"

Part = bytes | bytearray | memoryview
Read = TypeVar("Read", bytearray, memoryview)


class PartsFile:
    """A file in a directory of ours within the state directory; only one process writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, parts: Mapping[str, Part]) -> None:
        """Put these parts in place of all that is kept; without any, keep no file. StateError."""
        try:
            if parts:
                self._write(parts)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            remedy = "make room, and let the exporter's user write there"
            raise StateError(f"{self._path}: {error.strerror}; {remedy}") from error

    def load(self) -> dict[str, bytearray]:
        """Return what is kept: nothing if that cannot be relied on. Raises StateError."""
        return self.load_into(bytearray)

    def load_into(self, room: Callable[[int], Read]) -> dict[str, Read]:
        """Return what is kept, as `load` does, each part where `room` has so many bytes for it."""
        try:
            with self._path.open("rb") as file:
                return _read(file, room)
        except FileNotFoundError:
            return {}
        except OSError as error:
            remedy = "let the exporter's user read it"
            raise StateError(f"{self._path}: {error.strerror}; {remedy}") from error

    def _write(self, parts: Mapping[str, Part]) -> None:
        make_directory(self._path.parent)
        header = [(name, len(part), zlib.crc32(part)) for name, part in parts.items()]
        unfinished = self._path.with_name(self._path.name + UNFINISHED)
        unfinished.unlink(missing_ok=True)
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                give_to_owner(unfinished)
                file.write(BEGINNING + json.dumps(header).encode() + b"\n")
                for part in parts.values():
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
        except BaseException:
            with suppress(OSError):  # the error that it came from is to be told
                unfinished.unlink(missing_ok=True)
            raise
        sync_directory(self._path.parent)


def _read(file: BufferedReader, room: Callable[[int], Read]) -> dict[str, Read]:
    """Return the parts; none of a file of another kind, or one that was damaged."""
    if file.readline(len(BEGINNING)) != BEGINNING:
        return {}
    parts: dict[str, Read] = {}
    try:
        for name, length, checksum in json.loads(file.readline(LONGEST_HEADER)):
            if length > os.fstat(file.fileno()).st_size:
                return {}
            part = parts[name] = room(length)
            if file.readinto(part) != length or zlib.crc32(part) != checksum:
                return {}
    except (ValueError, TypeError, MemoryError):
        return {}
    return parts
