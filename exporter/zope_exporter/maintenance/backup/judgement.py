"""What the Data.fs of a backup lacks, and whether the database or the backup lost it.

`verify` asks this of the newest backup and `restore` of what it has written, so that whatever the
one passes the other can put back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.datafile import TornTailError

from .database_faults import Faults, dangling, missing
from .integrity import Found, examine
from .listing import Backup

Paths = tuple[str, str]


@dataclass(frozen=True)
class Judgement:
    """What a Data.fs holds, and which blobs that its objects need are not in the backup.

    Each is given by the paths that it may have, the first in the layout of today. `absent` are in
    the blob directory of the site neither, `only_site` are there, and of the `unknown` nobody can
    tell, for there is no such directory. Whether the bytes are `faithful`, still those that the
    database had, decides whose fault it is that something is missing.
    """

    found: Found
    absent: tuple[Paths, ...]
    only_site: tuple[Paths, ...]
    unknown: tuple[Paths, ...]
    faithful: bool

    @property
    def of_database(self) -> Faults:
        """What the database itself lacks: no fault of the backup."""
        return self._theirs() if self.faithful else Faults()

    @property
    def of_backup(self) -> Faults:
        """What the database has and the backup has not."""
        return _missing(self.only_site)

    @property
    def in_doubt(self) -> Faults:
        """What either of them may have lost."""
        return _missing(self.unknown) + (Faults() if self.faithful else self._theirs())

    @property
    def nowhere(self) -> tuple[Paths, ...]:
        """The blobs that cannot be had from here."""
        return self.absent + self.unknown

    def _theirs(self) -> Faults:
        return dangling(self.found.dangling) + _missing(self.absent)


def judge(
    data_fs: Path,
    blobs: Collection[str] | None,
    site_blobs: Path | None,
    faithful: bool,
    report: Report,
) -> Judgement:
    """Read all of a Data.fs that was written from a backup with those blobs.

    `blobs` is None where nothing is known of them, and none is looked for. Raises DamagedError,
    TornTailError and other FileStorageErrors.
    """
    found = examine(data_fs, blobs, report)
    _check_end(data_fs, found.position)
    absent: list[Paths] = []
    only_site: list[Paths] = []
    unknown: list[Paths] = []
    for paths in found.missing_blobs:
        if site_blobs is None or not site_blobs.is_dir():
            unknown.append(paths)
        elif any((site_blobs / path).is_file() for path in paths):
            only_site.append(paths)
        else:
            absent.append(paths)
    return Judgement(found, tuple(absent), tuple(only_site), tuple(unknown), faithful)


def faithful(backup: Backup) -> bool:
    """Tell whether all bytes were summed up as they came from the Data.fs, and are still those."""
    return backup.manifest is not None and all(piece.content for piece in backup.pieces)


def _check_end(data_fs: Path, position: int) -> None:
    status = data_fs.stat()
    if status.st_size != position:
        raise TornTailError(
            f"{data_fs} has {status.st_size - position} bytes after its last whole transaction, at"
            f" byte {position}",
            status.st_mtime,
        )


def _missing(blobs: Collection[Paths]) -> Faults:
    return missing([paths[0] for paths in blobs])
