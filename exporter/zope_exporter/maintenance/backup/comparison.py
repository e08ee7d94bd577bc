"""Comparing a backup with the Data.fs it was made of, if that still has the same bytes."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened

from .listing import Backup
from .manifest import Manifest
from .parent import sum_of_range
from .target import Source


def compare_with_source(
    backup: Backup, source: Source, report: Report, notes: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield each piece whose bytes in the Data.fs are others now, with the reason.

    Nothing is said, but a note made, where the Data.fs is another file, as after a pack.
    """
    manifest = backup.manifest
    if manifest is None:
        return
    try:
        with opened(source.data_fs) as descriptor, ThreadPoolExecutor(2) as pool:
            if not _still_holds(descriptor, manifest):
                notes.append(f"{source.data_fs} was packed or replaced since {backup.stamp}")
                return
            report.stage("comparing with the Data.fs", manifest.end)
            for piece in manifest.pieces:
                if sum_of_range(descriptor, piece.start, piece.end, pool, report) != piece.content:
                    yield piece.name, f"{source.data_fs} has other bytes there than were backed up"
    except FileStorageError as error:
        notes.append(f"not compared with the Data.fs: {error}")


def _still_holds(descriptor: int, manifest: Manifest) -> bool:
    """Tell whether it is the file that was backed up: the same inode and last transaction."""
    status = os.fstat(descriptor)
    return (
        (status.st_dev, status.st_ino) == (manifest.device, manifest.inode)
        and status.st_size >= manifest.end
        and os.pread(descriptor, 8, manifest.last) == manifest.tid.to_bytes(8, "big")
    )
