"""Whether the files of the blobs are there and whole."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import Report

from .beneath import Beneath, OddFileError
from .blob_lists import Blob, BlobLists
from .pieces import sum_of
from .pool import NOTHING, Found, look_into
from .repository import Backup
from .stamps import BLOBS


class Fault(NamedTuple):
    """What is wrong with the blob of a path; a link at a `place` may stand for many."""

    path: str
    place: str
    reason: str

    @property
    def text(self) -> str:
        """Name the place, and say what is wrong with it."""
        return f"{BLOBS}/{self.place}: {self.reason}" if self.place else f"{BLOBS}: {self.reason}"


class BlobCheck:
    """Looks at the files of blobs, at each once however many backups list it. Use it as a context.

    `sums` are those of the files that were read, or need not be, by their places.
    """

    def __init__(self, repository: Path, report: Report) -> None:
        self.lists = BlobLists()
        self.sums: dict[str, str] = {}
        self.repository = repository
        self._report = report
        self._files: Beneath | None = None
        self._found: dict[str, dict[str, Found]] = {}  # by directory
        self._judged: dict[bool, tuple[Mapping[str, Blob], list[Fault]]] = {}
        self._same: dict[tuple[int, int], str] = {}  # sums by file: earlier versions made links

    def __enter__(self) -> "BlobCheck":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    @property
    def files(self) -> Beneath:
        """The directory of all blobs. Raises OSError."""
        if self._files is None:
            self._files = Beneath(self.repository, BLOBS)
        return self._files

    def find(self, place: str) -> Found:
        """Return which file is there. Raises OSError."""
        directory, _, name = place.rpartition("/")
        if directory not in self._found:
            try:
                self._found[directory] = look_into(self.files, directory)
            except FileNotFoundError:
                self._found[directory] = {}
        return self._found[directory].get(name, NOTHING)

    def sizes(self, backup: Backup) -> list[Fault]:
        """Return what is wrong with the sizes. Raises ActionError for a bad list."""
        return self._faults(self.lists.of(backup) or {}, thorough=False)

    def contents(self, backup: Backup) -> list[Fault]:
        """Read all blobs of a backup; return what is wrong. Raises ActionError for a bad list."""
        blobs: Mapping[str, Blob] = self.lists.of(backup) or {}
        unread = sum(blob.size for blob in blobs.values() if blob.place not in self.sums)
        if unread:
            self._report.stage(f"checking the blobs of {backup.stamp}", unread)
        return self._faults(blobs, thorough=True)

    def _faults(self, blobs: Mapping[str, Blob], thorough: bool) -> list[Fault]:
        """Look at the blobs of a backup that were not those of the one before, too."""
        before, known = self._judged.get(thorough, ({}, []))
        faults = [fault for fault in known if blobs.get(fault.path) is before[fault.path]]
        for path, blob in blobs.items():
            if before.get(path) is not blob:
                faults += self.fault(blob, thorough)
        self._judged[thorough] = blobs, faults
        return faults

    def fault(self, blob: Blob, thorough: bool) -> Iterator[Fault]:
        """Yield what is wrong with a blob: its size, and its contents if that is to be thorough."""
        try:
            found = self.find(blob.place)
            reason = found.odd
            if not reason and found.size != blob.size:
                reason = "missing, or cut off"
            if not reason and thorough and self._sum(blob) != blob.sha256:
                reason = "its SHA-256 sum is not that of the list"
        except OddFileError as error:
            place = os.path.relpath(error.filename, self.repository / BLOBS)
            yield Fault(blob.path, "" if place == "." else place, str(error.strerror))
            return
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        if reason:
            yield Fault(blob.path, blob.place, reason)

    def _sum(self, blob: Blob) -> str:
        if blob.place not in self.sums:
            self._report.check()
            with self.files.opened(blob.place) as descriptor:
                status = os.fstat(descriptor)
                file = status.st_dev, status.st_ino
                if file not in self._same:
                    self._same[file] = sum_of(descriptor, self.files.full(blob.place))
            self.sums[blob.place] = self._same[file]
            self._report.advance(blob.size)
        return self.sums[blob.place]
