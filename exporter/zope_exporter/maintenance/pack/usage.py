"""What can be seen of a pack from outside.

That is what a storage takes on the disk before and after it, Data.fs.pack, which grows until it
takes the place of Data.fs, whether the process that packs still runs, and what packs leave behind.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from zope_exporter.discovery.inventory import Process, Storage
from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.blobs.directory import BlobError, measure
from zope_exporter.storage.filestorage.datafile import (
    UNFINISHED,
    FileStorageError,
    files_beside,
    status,
)
from zope_exporter.system.humanize import size

from .target import Sizes

REMOVED = ".removed"
# The kernel counts start times from its own start, which is known to the second only.
START_SECONDS = 2.0


def measured(storage: Storage | None, report: Report) -> Sizes:
    """Look at all files of a storage; what cannot be looked at is unknown."""
    if storage is None:
        return Sizes()
    data = old = blobs = blob_files = None
    with suppress(FileStorageError):
        data = status(storage.data_fs).st_size
        beside = files_beside(storage.data_fs)
        old = beside[".old"].st_size if ".old" in beside else 0
    if storage.blob_dir is not None:
        try:
            usage = measure(storage.blob_dir, storage.data_fs, report.check)
            blobs, blob_files = usage.size, usage.files
        except BlobError as error:
            report.say(f"blobs are not counted: {error}")
    return Sizes(data, old, blobs, blob_files)


def leftovers(storage: Storage | None, now: float) -> Iterator[str]:
    """Name the files that the pack just ended, or one before it, has left, with their sizes."""
    if storage is None:
        return
    with suppress(FileStorageError):
        beside = files_beside(storage.data_fs)
        for suffix in UNFINISHED:
            if suffix in beside:
                left = beside[suffix]
                age = max(now - left.st_mtime, 0)
                path = storage.data_fs.with_name(storage.data_fs.name + suffix)
                yield f"{path} ({size(left.st_size)}, last written {age:.0f} s ago)"
    yield from blob_leftovers(storage)


def blob_leftovers(storage: Storage | None) -> Iterator[str]:
    """Say what a pack that died while it removed blobs has left."""
    if storage is None or storage.blob_dir is None:
        return
    listed = storage.blob_dir / REMOVED
    with suppress(OSError):
        if listed.stat().st_size:
            yield (
                f"{listed} lists blobs that a pack which died has not removed; no later pack does,"
                " so copy the list before the next one begins it anew"
            )


class Growth:
    """Watches the file of one pack and reports what is new; one that dies leaves it behind."""

    def __init__(self, data_fs: Path | None, report: Report) -> None:
        self._path = data_fs and data_fs.with_name(data_fs.name + ".pack")
        self._report = report
        self._leftover = self.file = self._stat()
        self._reported = 0
        self._swapped = False

    def look(self) -> None:
        """Report how far it has grown since the last look; `file` is what is there now."""
        found = self.file = self._stat()
        if found is not None and found != self._leftover:
            self._report.advance(max(found[1] - self._reported, 0))
            self._reported = max(found[1], self._reported)
        elif found is None and self._reported and not self._swapped:
            self._swapped = True
            self._report.stage("packing: removing blobs and saving the index")

    def writes(self) -> bool:
        """Tell whether a file of this pack is there."""
        found = self._stat()
        return found is not None and found != self._leftover

    def _stat(self) -> tuple[int, int, float] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime


def runs(process: Process) -> bool:
    """Tell whether a process that was seen still runs.

    One that only waits for its parent to notice its end does not.
    """
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.start_time) < START_SECONDS
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
