"""All that is done to the disk, an operation a method, so that a test can let any of them fail."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.system.fsync import sync_system
from zope_exporter.system.reflink import clone

from .stamps import temporary_name

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
WITHIN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """The real one. Every method raises OSError.

    With a descriptor of a directory, it is there that the last part of the path is looked up: then
    no link that somebody puts in the place of what is before it leads elsewhere.
    """

    def create(self, path: Path, dir_fd: int | None = None) -> int:
        """Open a new file for writing, which only its owner may read, whatever the umask."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with _named(path):
            descriptor = os.open(_within(path, dir_fd), flags, FILE_MODE, dir_fd=dir_fd)
        try:
            os.fchmod(descriptor, FILE_MODE)
            _give_to_owner(descriptor, path, dir_fd)
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

    def rename(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        names = _within(old, old_fd), _within(new, new_fd)
        with _named(new):
            os.rename(*names, src_dir_fd=old_fd, dst_dir_fd=new_fd)

    def link(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        """Give a file another name; a symbolic link is one itself."""
        names = _within(old, old_fd), _within(new, new_fd)
        with _named(new):
            os.link(*names, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)

    def remove(self, path: Path, dir_fd: int | None = None) -> None:
        with _named(path):
            os.unlink(_within(path, dir_fd), dir_fd=dir_fd)

    def make_directory(self, path: Path, dir_fd: int | None = None) -> None:
        """Make a directory that only its owner may enter: a umask can only take from that."""
        with _named(path):
            os.mkdir(_within(path, dir_fd), DIRECTORY_MODE, dir_fd=dir_fd)
            made = os.open(_within(path, dir_fd), WITHIN, dir_fd=dir_fd)
        try:
            _give_to_owner(made, path, dir_fd)
        finally:
            os.close(made)

    def remove_directory(self, path: Path, dir_fd: int | None = None) -> None:
        """Remove an empty directory."""
        with _named(path):
            os.rmdir(_within(path, dir_fd), dir_fd=dir_fd)

    def clone(self, source: int, target: int) -> bool:
        """Let an open file have the blocks of another, where the file system can share them."""
        return clone(source, target)

    def set_mode(self, descriptor: int, mode: int) -> None:
        os.fchmod(descriptor, mode)

    def remove_tree(self, path: Path, dir_fd: int | None = None) -> None:
        """Remove a directory with all that is in it, links themselves, and nothing elsewhere.

        Each directory is opened within the one before, and not through a link: what becomes one
        meanwhile is an error.
        """
        with _named(path):
            opened = os.open(_within(path, dir_fd), WITHIN, dir_fd=dir_fd)
        try:
            with os.scandir(opened) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
            for entry in inside:
                if entry.is_dir(follow_symlinks=False):
                    self.remove_tree(path / entry.name, opened)
                else:
                    self.remove(path / entry.name, opened)
        finally:
            os.close(opened)
        self.remove_directory(path, dir_fd)

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


def _give_to_owner(made: int, path: Path, dir_fd: int | None) -> None:
    """Let what root has just made belong to the owner of its directory.

    Else a backup by root would lock out the user who makes all the others. Some file systems know
    of no owners.
    """
    if os.geteuid() == 0:
        owner = path.parent.stat() if dir_fd is None else os.fstat(dir_fd)
        with suppress(PermissionError):
            os.fchown(made, owner.st_uid, owner.st_gid)


def _within(path: Path, dir_fd: int | None) -> str | Path:
    return path if dir_fd is None else path.name


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the whole path in an error, of which the system has seen but a part."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


@dataclass(frozen=True)
class Means:
    """What a backup works with: the disk, the time in seconds since the epoch, and how to wait."""

    disk: Disk = field(default_factory=Disk)
    clock: Callable[[], float] = time.time
    pause: Callable[[float], object] = threading.Event().wait
