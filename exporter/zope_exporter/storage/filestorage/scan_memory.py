"""Where the scans have what they hold: in memory up to a bound, beyond it in mapped files.

Such a file takes memory only while the system has nothing better to do with it.
"""

import errno
import mmap
import os
import tempfile
import weakref
from itertools import count
from pathlib import Path

from zope_exporter.system.humanize import size as said
from zope_exporter.system.state import make_directory

from .datafile import FileStorageError

# Whoever else has files there, such as a database, is not left without room.
LARGEST_SHARE = 0.5


class NoRoomError(FileStorageError):
    """There is no room for what a scan may not have in memory."""


class ScanMemory:
    """Gives room that takes, all together, `most` bytes of memory; None for any number.

    What is beyond that is in files without a name in `directory`; without one all is in memory.
    """

    def __init__(self, most: int | None = None, directory: Path | None = None) -> None:
        self._most = most
        self._directory = directory
        self._numbers = count()
        self._held: dict[int, int] = {}  # changed by whichever thread lets go of some

    @property
    def used(self) -> int:
        """Bytes of memory that are in use."""
        return sum(list(self._held.values()))

    def mapping(self, size: int) -> mmap.mmap:
        """Return that many bytes of zeros, at least one; NoRoomError without room for the file."""
        size = max(size, 1)
        if self._directory and self._most is not None and self.used + size > self._most:
            return _mapped_file(self._directory, size)
        # What malloc has once given out it does not always give back to the system.
        mapping = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        number = next(self._numbers)
        self._held[number] = size
        weakref.finalize(mapping, self._held.pop, number)
        return mapping

    def room(self, size: int) -> memoryview:
        """Return that many bytes, as `mapping` does."""
        return memoryview(self.mapping(size))[:size]


def _mapped_file(directory: Path, size: int) -> mmap.mmap:
    try:
        make_directory(directory)
        free = os.statvfs(directory)
        if size > LARGEST_SHARE * free.f_bavail * free.f_frsize:
            raise OSError(errno.ENOSPC, "that is more than half of what is free there")
        with tempfile.TemporaryFile(dir=directory) as file:
            # To write to a part of the mapping for which the disk has no room would kill us.
            os.posix_fallocate(file.fileno(), 0, size)
            return mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise NoRoomError(
            f"the scan of this Data.fs needs another {said(size)} in {directory}, beyond the memory"
            f" that it may take: {error.strerror}; make room there, or let scan_memory be more"
        ) from error
