"""The blobs that the backups of a repository have already, and whose files are whole."""

from collections.abc import Iterator

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .blob_check import BlobCheck
from .blob_lists import Blob
from .pool import place_of
from .repository import Repository
from .stamps import BLOBS


class KnownBlobs:
    """Those of the newest backup, and where that lacks one, of the others."""

    def __init__(self, listed: Repository, check: BlobCheck, report: Report) -> None:
        self._left = [backup for backup in listed.complete if backup.has_blobs]
        self._check = check
        self._report = report
        self._blobs: dict[str, Blob] = {}  # by the place in the pool
        self._doubted = set(_named_as_bad(listed))
        self._read_another()

    def whole(self, path: str) -> Blob | None:
        """Return the blob of a path; None if no backup has it, or its file is lost or damaged.

        By its oid and tid a blob is known, whatever the file of the database has become.
        """
        place = place_of(path)
        while place not in self._blobs and self._left and self._check.find(place).size >= 0:
            self._read_another()
        blob = self._blobs.get(place)
        if blob is None:
            return None
        for fault in self._check.fault(blob, thorough=blob.place in self._doubted):
            self._report.say(f"{fault.text}; it is taken from the database again")
            return None
        return blob

    def _read_another(self) -> None:
        if not self._left:
            return
        try:
            blobs = self._check.lists.of(self._left.pop()) or {}
        except ActionError as error:
            self._report.say(f"{error.reason}: what no other lists is copied again")
            return
        for blob in blobs.values():
            self._blobs.setdefault(place_of(blob.path), blob)


def _named_as_bad(listed: Repository) -> Iterator[str]:
    """Yield the places that the last verification found something wrong with."""
    for backup in listed.backups:
        for failure in backup.record.failures if backup.record else ():
            yield failure.partition(": ")[0].removeprefix(f"{BLOBS}/")
