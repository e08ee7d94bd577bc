"""Which blobs belong to a backup: a file by its stamp lists what is new since the backup before.

So the lists of many backups are as small as what was added. Backups of earlier versions have all
of their blobs in the list, and the files in a directory of their own.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import ActionError

from .beneath import read_small
from .manifest import BlobList, Manifest
from .pool import place_of
from .repository import Backup

PATH = r"(?:0x[0-9a-f]{2,16}/)+0x[0-9a-f]{16}\.blob"
LINE = re.compile(rf"(?:([0-9a-f]{{64}}) ([0-9]{{1,19}})|-) ({PATH}|\.layout)\n")
GONE = "-"
LARGEST = 1 << 30
SUFFIX = ".blobs"


class Blob(NamedTuple):
    """A blob by its path in the blob directory; its file has a `place` below that of all blobs."""

    sha256: str
    size: int
    path: str
    place: str

    @property
    def name(self) -> str:
        """The name of its file in the pool."""
        return self.place.rpartition("/")[2]


def listing(blobs: Mapping[str, Blob], before: Mapping[str, Blob]) -> bytes:
    """Return the file that says what was added to the blobs of before, and what is gone."""
    lines = [
        f"{blob.sha256} {blob.size} {path}\n"
        for path, blob in blobs.items()
        if before.get(path) != blob
    ]
    lines += [f"{GONE} {path}\n" for path in before.keys() - blobs.keys()]
    return "".join(sorted(lines)).encode()


def sealed(blobs: Mapping[str, Blob], list_file: bytes, since: str) -> BlobList:
    """Return what the manifest says of the blobs and of the file that lists them."""
    size = sum(blob.size for blob in blobs.values())
    return BlobList(sha256(list_file).hexdigest(), len(blobs), size, since)


def blobs_of(backup: Backup) -> dict[str, Blob] | None:
    """Return the blobs of a backup by path, None if it has none. Raises as `BlobLists.of`."""
    return BlobLists().of(backup)


class BlobLists:
    """Reads the blobs of backups; of those in their order each list is read once."""

    def __init__(self) -> None:
        self._read: tuple[tuple[str, BlobList], ...] = ()
        self._blobs: dict[str, Blob] = {}

    def of(self, backup: Backup) -> dict[str, Blob] | None:
        """Return the blobs of a backup by path, None if it has none.

        Raises ActionError if a list is not the one that its manifest names.
        """
        return self.of_manifest(backup.repository, backup.manifest)

    def of_manifest(self, repository: Path, manifest: Manifest | None) -> dict[str, Blob] | None:
        if manifest is None or manifest.blobs is None:
            return None
        lists = manifest.lists
        if lists[: len(self._read)] != self._read:
            self._read, self._blobs = (), {}
        blobs = dict(self._blobs)
        for stamp, told in lists[len(self._read) :]:
            _change(blobs, repository, stamp, told)
        self._read, self._blobs = lists, blobs
        return blobs


def added_places(backup: Backup) -> set[str]:
    """Return the places of the blobs that the list of a backup adds. Raises ActionError."""
    blobs: dict[str, Blob] = {}
    if backup.manifest and backup.manifest.blobs:
        _change(blobs, backup.repository, backup.stamp, backup.manifest.blobs)
    return {blob.place for blob in blobs.values()}


def _change(blobs: dict[str, Blob], repository: Path, stamp: str, told: BlobList) -> None:
    """Add to the blobs what a list adds to them, and take from them what is gone."""
    name, end = stamp + SUFFIX, 0
    text = _contents(repository, name, told).decode(errors="replace")
    for line in LINE.finditer(text):
        # A path is never followed out of the repository.
        if line.start() != end:
            break
        end = line.end()
        digest, size, path = line.groups()
        if digest is None:
            blobs.pop(path, None)
        else:
            place = f"{stamp}/{path}" if told.since is None else place_of(path)
            blobs[path] = Blob(digest, int(size), path, place)
    if end < len(text):
        raise _unusable(f"{name} lists what is no blob")


def _contents(repository: Path, name: str, told: BlobList) -> bytes:
    try:
        data = read_small(repository / name, LARGEST)
    except OSError as error:
        raise _unusable(f"{name} cannot be read: {error.strerror}") from error
    if sha256(data).hexdigest() != told.sha256:
        raise _unusable(f"{name} was changed after it was written")
    return data


def _unusable(reason: str) -> ActionError:
    return ActionError("reading the backup", reason, "use another backup")
