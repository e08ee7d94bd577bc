"""What can be restored: something that is proven, and then written to a new file."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.scan import walk
from zope_exporter.system.foreign_file import chunks
from zope_exporter.system.fsync import named

from .blob_directory import files, odd


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

    def verify(self, report: Report) -> None:
        """Raise ActionError unless all but the blobs is good, as far as it is known beforehand."""

    def bad_blobs(self, report: Report) -> Mapping[str, str]:
        """Return what is wrong with those blobs that are not good, by path."""

    def write(self, target: Path, report: Report) -> None:
        """Write the Data.fs to a file that is not there yet."""

    def instead(self, report: Report) -> str:
        """Say which other one is whole."""


class FileSource:
    """A copy of a Data.fs, such as what `recover` writes."""

    listed = False
    faithful = False

    def __init__(self, path: Path, blobs: Path | None) -> None:
        self.name = str(path)
        self.blobs = blobs
        self._path = path
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise ActionError("reading", f"{path}: {error.strerror}") from error

    def sizes(self) -> Mapping[str, int]:
        return sizes_of(self.blobs)

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
        shutil.copymode(self._path, target)

    def instead(self, report: Report) -> str:
        report.check()
        return "give another copy"


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
