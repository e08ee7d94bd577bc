"""Putting blobs into a new directory, by hard links or copies."""

import os
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.system.foreign_file import chunks

from .beneath import Beneath
from .disk import Disk


class Blob(NamedTuple):
    """A file in a snapshot, by its path in it."""

    sha256: str
    size: int
    path: str


class Writing:
    """A new directory that blobs are put into, none through a link that comes in its place."""

    def __init__(self, disk: Disk, target: Path) -> None:
        self._disk = disk
        self._made: set[PurePosixPath] = {PurePosixPath()}
        disk.make_directory(target)
        self._files = Beneath(target.parent, target.name)

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def link(self, source: Beneath, path: str) -> bool:
        """Take a file by a hard link; False if that cannot be."""
        new, places = self._place(path), (source.full(path), self._files.full(path))
        old = source.directory_of(path)
        try:
            self._disk.link(*places, old, new)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, too many links, or a kernel that protects them
            return False
        return True

    def summed(self, path: str) -> tuple[str, int]:
        """Return the SHA-256 and the size of a file that is there."""
        with self._files.opened(path) as descriptor:
            return sum_of(descriptor, self._files.full(path)), os.fstat(descriptor).st_size

    def copy(self, source: Beneath, path: str, report: Report) -> Blob:
        """Copy a file, with its times."""
        found, size = sha256(), 0
        with source.opened(path) as reading:
            writing = self._disk.create(self._files.full(path), self._place(path))
            try:
                for data in chunks(reading, source.full(path)):
                    report.check()
                    found.update(data)
                    size += len(data)
                    self._disk.write(writing, data)
                status = os.fstat(reading)
                self._disk.set_times(writing, status.st_atime_ns, status.st_mtime_ns)
            finally:
                os.close(writing)
        return Blob(found.hexdigest(), size, path)

    def _place(self, path: str) -> int:
        """Return a descriptor of the directory of a path, which is made if need be."""
        for parent in reversed(PurePosixPath(path).parents):
            if parent not in self._made:
                directory = self._files.directory_of(str(parent))
                self._disk.make_directory(self._files.full(str(parent)), directory)
                self._made.add(parent)
        return self._files.directory_of(path)


def sum_of(descriptor: int, path: Path) -> str:
    """Return the SHA-256 of an open file."""
    found = sha256()
    for data in chunks(descriptor, path):
        found.update(data)
    return found.hexdigest()
