"""Having the kernel put on the disk what was written, before anything counts on it."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the file in errors that come without: of reading, writing, syncing and closing."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_file(path: Path) -> None:
    """Wait until the contents of a file are on the disk."""
    _sync(path, os.O_RDONLY | os.O_CLOEXEC, os.fsync)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk: files made, renamed and removed."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, os.fsync)


def sync_system(path: Path) -> None:
    """Wait until all of the file system of a directory is on the disk.

    That is sooner done than each of its directories.
    """
    _sync(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, _syncfs)


def _syncfs(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync(path: Path, flags: int, wait: Callable[[int], object]) -> None:
    with named(path):
        descriptor = os.open(path, flags)
        try:
            wait(descriptor)
        finally:
            os.close(descriptor)
