"""Whether the process of a job still lives, told by the kernel.

A process id would not do: it means nothing in another container, and is given again to others.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from zope_exporter.system.state import give_to_owner, make_directory


class Lease:
    """A lock file, held until the job ends or its process dies."""

    def __init__(self, file: Path) -> None:
        """Raises OSError if the file cannot be made, or is held by another."""
        self._file = file
        make_directory(file.parent)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner(file)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor: int | None = descriptor

    def end(self) -> None:
        """Let go of the file, and remove it; at a second call nothing is left to do."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._file.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def is_alive(file: Path) -> bool:
    """Tell whether any process holds the file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
