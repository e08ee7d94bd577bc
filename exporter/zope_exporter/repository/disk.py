"""All that is done to the disk, an operation a method, so that a test can let any of them fail."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.durable import sync_system

from .stamps import temporary_name

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class Disk:
    """The real one. Every method raises OSError."""

    def create(self, path: Path) -> int:
        """Open a new file for writing, which only its owner may read, whatever the umask."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            os.fchmod(descriptor, FILE_MODE)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of the data."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def let_go(self, descriptor: int) -> None:
        """Begin to move what was written to the disk, and take no memory for what is there."""
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Wait until the names in a directory are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def sync_system(self, path: Path) -> None:
        sync_system(path)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def link(self, old: Path, new: Path) -> None:
        os.link(old, new, follow_symlinks=False)

    def remove(self, path: Path) -> None:
        path.unlink()

    def make_directory(self, path: Path) -> None:
        """Make a directory that only its owner may enter, whatever the umask."""
        path.mkdir(DIRECTORY_MODE)
        path.chmod(DIRECTORY_MODE)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()

    def set_times(self, path: Path, accessed: int, modified: int) -> None:
        """Set the times of a file, in nanoseconds."""
        os.utime(path, ns=(accessed, modified))

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it; no symbolic link is followed."""
        with os.scandir(path) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        for entry in inside:
            if entry.is_dir(follow_symlinks=False):
                self.remove_tree(Path(entry.path))
            else:
                self.remove(Path(entry.path))
        self.remove_directory(path)

    @contextmanager
    def temporary(self, directory: Path) -> Iterator[Path]:
        """Give a path for a new file or directory; what is still there in the end is removed."""
        path = directory / temporary_name()
        try:
            yield path
        finally:
            self.discard(path)

    def discard(self, path: Path) -> None:
        """Remove a temporary file or directory if it is there; the next backup tries it again."""
        try:
            if path.is_dir() and not path.is_symlink():
                self.remove_tree(path)
            else:
                self.remove(path)
        except OSError:
            return

    def replace(self, path: Path, data: bytes) -> None:
        """Put a small file in place at once: at every moment either all of it is there or none."""
        with self.temporary(path.parent) as temporary:
            descriptor = self.create(temporary)
            try:
                self.write(descriptor, data)
                self.sync(descriptor)
            finally:
                os.close(descriptor)
            self.rename(temporary, path)
        self.sync_directory(path.parent)


@dataclass(frozen=True)
class Means:
    """What a backup works with: the disk, the time in seconds since the epoch, and how to wait."""

    disk: Disk = field(default_factory=Disk)
    clock: Callable[[], float] = time.time
    pause: Callable[[float], object] = threading.Event().wait
