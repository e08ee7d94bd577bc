"""Whether the process of a job still lives, and what one that died has left on the disk.

That it lives is told by the kernel. A process id would not do: it means nothing in another
container, and is given again to others.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zope_exporter.config.actions import PACK
from zope_exporter.system.humanize import size
from zope_exporter.system.state import give_to_owner, make_directory

from .job import Job

RESCUE = (
    "do not start Zope or ZEO, which would delete the blobs;"
    " first run zope-exporter recover {data_fs} --rescue-pack"
)
GOES_ON = "a Zope or ZEO server that was asked to pack continues by itself"


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


def leftovers(job: Job) -> list[str]:
    """Return what is to be said of a dead one, a sentence each; nothing if nothing is left."""
    return [*_of_pack(job), *_of_backup(job)]


def _of_pack(job: Job) -> Iterator[str]:
    data_fs = job.paths.data_fs
    if job.task.action != PACK:
        return
    if job.begun is not None:
        yield GOES_ON
    if data_fs is None:
        return
    pack = data_fs.with_name(data_fs.name + ".pack")
    if not pack.is_file():
        return
    if data_fs.is_file():
        yield f"left {pack}{_size(pack)}, which the next pack overwrites"
    else:
        yield f"{data_fs} is missing: {RESCUE.format(data_fs=data_fs)}"


def _of_backup(job: Job) -> Iterator[str]:
    repository = job.paths.repository
    if job.task.action == PACK or repository is None:
        return
    for path in sorted(_entries(repository)):
        if path.name.endswith(".tmp"):
            yield f"left {path}{_size(path)}, which the next backup removes"


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _size(path: Path) -> str:
    try:
        return f" ({size(path.stat().st_size)})" if path.is_file() else ""
    except OSError:
        return ""
