"""A disk that fails, or whose process dies, at an operation of the test's choice."""

import errno
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from zope_exporter.maintenance.backup.disk import Disk

Done = TypeVar("Done")


class QuickDisk(Disk):
    """Waits for no disk: what a killed process has written is there without."""

    def let_go(self, descriptor: int) -> None:
        os.fstat(descriptor)

    def sync(self, descriptor: int) -> None:
        os.fstat(descriptor)

    def sync_system(self, path: Path) -> None:
        path.stat()


class FaultyDisk(QuickDisk):
    """Counts operations; `fault` is called at that of number `at`, and from then on if `lasting`.

    Half of what was to be written is written before.
    """

    def __init__(
        self, at: int = -1, fault: Callable[[], object] = lambda: None, lasting: bool = False
    ) -> None:
        self.count = 0
        self.busy = False
        self._at = at
        self._fault = fault
        self._lasting = lasting

    def _operation(
        self, run: Callable[[], Done], half: Callable[[], object] = lambda: None
    ) -> Done:
        if self.busy:  # part of another one
            return run()
        number, self.count = self.count, self.count + 1
        self.busy = True
        try:
            if number == self._at or (self._lasting and number > self._at >= 0):
                half()
                self._fault()
            return run()
        finally:
            self.busy = False

    def create(self, path: Path, dir_fd: int | None = None) -> int:
        return self._operation(lambda: super(FaultyDisk, self).create(path, dir_fd))

    def write(self, descriptor: int, data: bytes) -> None:
        self._operation(
            lambda: super(FaultyDisk, self).write(descriptor, data),
            lambda: os.write(descriptor, data[: len(data) // 2]),
        )

    def sync(self, descriptor: int) -> None:
        self._operation(lambda: super(FaultyDisk, self).sync(descriptor))

    def sync_directory(self, path: Path) -> None:
        self._operation(lambda: super(FaultyDisk, self).sync_directory(path))

    def sync_system(self, path: Path) -> None:
        self._operation(lambda: super(FaultyDisk, self).sync_system(path))

    def rename(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        self._operation(lambda: super(FaultyDisk, self).rename(old, new, old_fd, new_fd))

    def link(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        self._operation(lambda: super(FaultyDisk, self).link(old, new, old_fd, new_fd))

    def remove(self, path: Path, dir_fd: int | None = None) -> None:
        self._operation(lambda: super(FaultyDisk, self).remove(path, dir_fd))

    def make_directory(self, path: Path, dir_fd: int | None = None) -> None:
        self._operation(lambda: super(FaultyDisk, self).make_directory(path, dir_fd))

    def remove_directory(self, path: Path, dir_fd: int | None = None) -> None:
        self._operation(lambda: super(FaultyDisk, self).remove_directory(path, dir_fd))

    def clone(self, source: int, target: int) -> bool:
        return self._operation(lambda: super(FaultyDisk, self).clone(source, target))

    def set_mode(self, descriptor: int, mode: int) -> None:
        self._operation(lambda: super(FaultyDisk, self).set_mode(descriptor, mode))


def die() -> None:
    """What pulling the plug does to a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def killed(run: Callable[[Disk], object], at: int) -> bool:
    """Run in a child that dies at an operation; return whether there was one of that number."""
    child = os.fork()
    if not child:
        try:
            run(FaultyDisk(at, die))
        except BaseException:  # whatever it is, the child must not go on as a test
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


CHANGES = {
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.mknod", "os.remove", "os.rename"),
    *("os.rmdir", "os.setxattr", "os.symlink", "os.truncate", "os.utime", "shutil.rmtree"),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def strays(run: Callable[[Disk], object], below: Path) -> str:
    """Name, a line each, what changes files below a directory without the disk it is given."""
    disk = FaultyDisk()
    with tempfile.TemporaryFile("w+") as log:

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            changes = event in CHANGES or (event == "open" and int(str(arguments[2])) & WRITING)
            if changes and not disk.busy and any(_is_below(each, below) for each in arguments):
                log.write(f"{event} {arguments}\n")

        child = os.fork()
        if not child:
            try:
                sys.addaudithook(watch)
                run(disk)
                log.flush()
            except BaseException:  # whatever it is, the child must not go on as a test
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        log.seek(0)
        return log.read()


def _is_below(argument: object, below: Path) -> bool:
    """Tell whether a path, or the directory that a descriptor is of, may be below another."""
    if isinstance(argument, int):
        argument = f"/proc/self/fd/{argument}"
        if not Path(argument).exists():
            return False
    elif not isinstance(argument, str | bytes | os.PathLike):
        return False
    path = Path(os.fsdecode(argument))
    # Of a file that is opened within a directory nothing but its name is told.
    return not path.is_absolute() or Path(os.path.realpath(path)).is_relative_to(below)
