"""What can be restored: something that is proven, and then written to a new file."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DataFile
from zope_exporter.system.foreign_file import chunks
from zope_exporter.system.fsync import named

from .blob_directory import files, odd
from .cut import Cut, PackedError, find_cut
from .point_in_time import shown


class Source(Protocol):
    """A state of a database: `size` of its Data.fs in bytes, and the directory of its blobs.

    It is `listed` which blobs the backup has where it says so itself: then one that it has not was
    not there when it was made. It is `faithful` if it has the bytes that the database had.
    """

    name: str
    size: int
    blobs: Path | None
    listed: bool
    faithful: bool

    def sizes(self) -> Mapping[str, int]:
        """Return the size of each blob by its path."""

    def file_of(self, blob: str) -> Path:
        """Return the file of a blob."""

    def verify(self, report: Report) -> None:
        """Raise ActionError unless all but the blobs is good, as far as it is known beforehand."""

    def bad_blobs(self, report: Report) -> Mapping[str, str]:
        """Return what is wrong with those blobs that are not good, by path."""

    def write(self, target: Path, report: Report) -> None:
        """Write the Data.fs to a file that is not there yet."""

    def instead(self, report: Report) -> str:
        """Say which other one is whole."""


class FileSource:
    """A copy of a Data.fs, such as what `recover` writes, or its state at a moment."""

    listed = False
    faithful = False

    def __init__(self, path: Path, blobs: Path | None, at: bytes | None = None) -> None:
        self.name = str(path)
        self.blobs = blobs
        self._path = path
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise ActionError("reading", f"{path}: {error.strerror}") from error
        self._cut = None if at is None else _cut(path, at)

    def sizes(self) -> Mapping[str, int]:
        sizes = sizes_of(self.blobs)
        return {blob: size for blob, size in sizes.items() if not self._cut or self._cut.has(blob)}

    def file_of(self, blob: str) -> Path:
        return (self.blobs or Path()) / blob

    def verify(self, report: Report) -> None:
        report.stage(f"reading {self.name}", self.size)
        try:
            walk(self._path, report.advance)
        except FileStorageError as error:
            raise ActionError("verification", str(error)) from error

    def bad_blobs(self, report: Report) -> Mapping[str, str]:
        report.check()
        return odd_ones(self.blobs)

    def write(self, target: Path, report: Report) -> None:
        report.stage("writing", self.size)
        with (
            named(self._path),
            self._path.open("rb") as source,
            named(target),
            target.open("xb") as copy,
        ):
            for chunk in chunks(source.fileno(), self._path, may_grow=True):
                report.check()
                copy.write(chunk)
                report.advance(len(chunk))
        if self._cut is not None:
            os.truncate(target, self._cut.position)
        shutil.copymode(self._path, target)

    def instead(self, report: Report) -> str:
        report.check()
        return "give another copy"


def _cut(path: Path, at: bytes) -> Cut:
    """Return where a Data.fs is to be cut off. Raises RefusedError `missing`, and ActionError."""
    try:
        with opened(path) as descriptor:
            file = DataFile(path, descriptor, HEADERS_ONLY)
            cut = find_cut(file.transactions(FIRST_TRANSACTION, 0), int.from_bytes(at, "big"))
    except PackedError:
        reason = f"{path} was packed, which has removed states of {shown(at)}"
        raise RefusedError("missing", reason, "take a backup of before the pack") from None
    except FileStorageError as error:
        raise ActionError("reading", str(error)) from error
    if not cut.tid:
        raise RefusedError("missing", f"{path} has nothing of or before {shown(at)}")
    return cut


def sizes_of(blobs: Path | None) -> Mapping[str, int]:
    """Return the size of each blob in a directory by its path."""
    if blobs is None:
        return {}
    return {str(path.relative_to(blobs)): path.stat().st_size for path in files(blobs)}


def odd_ones(blobs: Path | None) -> Mapping[str, str]:
    """Return what cannot be a blob though it has the name of one, with the reason."""
    if blobs is None:
        return {}
    return {str(path.relative_to(blobs)): "it is not a regular file" for path in odd(blobs)}
