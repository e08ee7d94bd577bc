"""What is below a directory in which anybody may have put something else than should be there.

Each directory on the way is opened within the one before, and none of them through a link: a path
as a whole would be looked up anew each time, and through whatever was put in place meanwhile.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

from zope_exporter.system import foreign_file
from zope_exporter.system.foreign_file import NotRegularError
from zope_exporter.system.fsync import named

PART = 1 << 16
LINK = "it is a symbolic link, and none is followed: move what it leads to in its place"


class OddFileError(OSError):
    """What has the name is no regular file; to open it could hang, or lead elsewhere."""


@contextmanager
def opened(path: Path, dir_fd: int | None = None) -> Iterator[int]:
    """Give a descriptor of a regular file. Raises OddFileError for all else, and OSError.

    With `dir_fd`, the last part of the path is looked up in that directory.
    """
    try:
        with foreign_file.opened(path, dir_fd, follow_links=False) as descriptor:
            yield descriptor
    except NotRegularError as error:
        raise odd(path, error.mode) from error


def read_small(path: Path, largest: int) -> bytes:
    """Return what is in a regular file, at most that many bytes."""
    parts, left = [], largest
    with opened(path) as descriptor:
        while part := os.read(descriptor, min(left, PART)):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def odd(path: Path, mode: int) -> OddFileError:
    """Return the error of a path where there is something else than should be."""
    reason = LINK if stat.S_ISLNK(mode) else "it is not a regular file"
    return OddFileError(errno.EINVAL, reason, str(path))


FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Beneath:
    """A directory held open. `root` may be a link, as an administrator gives it; what is below not.

    `within` are the names that lead from the root to the directory. The way to the path that was
    asked for last stays open: paths in their order cost little. Raises OSError; OddFileError for a
    link on the way. Close it, or use it as a context.
    """

    def __init__(self, root: Path, *within: str) -> None:
        self.path = root
        self._names: list[str] = []
        self._opened = [os.open(root, FLAGS)]
        try:
            for name in within:
                self._enter(name)
        except BaseException:
            self.close()
            raise
        self._within = len(within)

    def __enter__(self) -> "Beneath":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._opened:
            self._leave()

    @property
    def descriptor(self) -> int:
        """The directory itself."""
        return self._opened[self._within]

    def names(self) -> list[str]:
        with os.scandir(self.descriptor) as entries:
            return sorted(entry.name for entry in entries)

    def full(self, path: str) -> Path:
        """Return what to call a path below the directory in messages."""
        return self.path.joinpath(*self._names[: self._within], path)

    def directory_of(self, path: str) -> int:
        """Return a descriptor of the directory that a path is in, good until the next call."""
        parents = [*self._names[: self._within], *PurePosixPath(path).parts[:-1]]
        same = self._within
        while same < min(len(parents), len(self._names)) and parents[same] == self._names[same]:
            same += 1
        while len(self._names) > same:
            self._leave()
        for name in parents[same:]:
            self._enter(name)
        return self._opened[-1]

    def status(self, path: str) -> os.stat_result:
        """Return the stat of what is there, of a link its own."""
        name, directory = PurePosixPath(path).name, self.directory_of(path)
        return os.stat(name, dir_fd=directory, follow_symlinks=False)

    def opened(self, path: str) -> AbstractContextManager[int]:
        """Give a descriptor of a regular file."""
        return opened(self.full(path), self.directory_of(path))

    def _enter(self, name: str) -> None:
        place = self.path.joinpath(*self._names, name)
        if name in ("", ".", "..") or "/" in name:
            raise OddFileError(errno.EINVAL, "it leads elsewhere", str(place))
        try:
            opened = os.open(name, FLAGS | os.O_NOFOLLOW, dir_fd=self._opened[-1])
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise self._odd(name, place) from error
            raise OSError(error.errno, error.strerror, str(place)) from error
        self._opened.append(opened)
        self._names.append(name)

    def _leave(self) -> None:
        """Close the innermost directory, or the root itself."""
        place = self.path.joinpath(*self._names)
        if self._names:
            self._names.pop()
        with named(place):
            os.close(self._opened.pop())

    def _odd(self, name: str, place: Path) -> OddFileError:
        found = os.stat(name, dir_fd=self._opened[-1], follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return odd(place, found.st_mode)
        return OddFileError(errno.ENOTDIR, "it is not a directory", str(place))
