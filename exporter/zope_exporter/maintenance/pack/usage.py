"""What a storage takes on the disk before and after a pack, and what packs have left behind."""

from collections.abc import Iterator
from contextlib import suppress

from zope_exporter.discovery.inventory import Storage
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
