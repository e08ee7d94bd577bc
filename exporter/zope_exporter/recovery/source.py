"""What can be restored: something that is proven, and then written to a new file."""

import shutil
from pathlib import Path
from typing import Protocol

from zope_exporter.durable import named
from zope_exporter.filestorage.errors import FileStorageError
from zope_exporter.filestorage.walk import walk
from zope_exporter.jobs.report import ActionError, Report

from .files import chunks


class Source(Protocol):
    """A state of a database: `size` of its Data.fs in bytes, and the directory of its blobs."""

    name: str
    size: int
    blobs: Path | None

    def verify(self, report: Report) -> None:
        """Raise ActionError unless all of it is good."""

    def write(self, target: Path, report: Report) -> None:
        """Write the Data.fs to a file that is not there yet."""


class FileSource:
    """A copy of a Data.fs, such as what `recover` writes."""

    def __init__(self, path: Path, blobs: Path | None) -> None:
        self.name = str(path)
        self.blobs = blobs
        self._path = path
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise ActionError("reading", f"{path}: {error.strerror}") from error

    def verify(self, report: Report) -> None:
        report.stage(f"reading {self.name}", self.size)
        try:
            walk(self._path, report.advance)
        except FileStorageError as error:
            raise ActionError("verification", str(error)) from error

    def write(self, target: Path, report: Report) -> None:
        report.stage("writing", self.size)
        with (
            named(self._path),
            self._path.open("rb") as source,
            named(target),
            target.open("xb") as copy,
        ):
            for chunk in chunks(source, self._path):
                report.check()
                copy.write(chunk)
                report.advance(len(chunk))
        shutil.copymode(self._path, target)
