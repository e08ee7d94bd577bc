"""The backups of a repository as they are shown to people and programs."""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from zope_exporter.storage.filestorage.format import time_of

from .repository import Backup, read_repository
from .stamps import time_of as time_of_stamp


@dataclass(frozen=True)
class ListedBackup:
    """A backup that can be restored, or with a `problem` one that cannot be relied on.

    `covers` is the time of the last transaction in it, None where only repozo knows; `proven` when
    it was proven to be good and `proven_by` the level of that.
    """

    stamp: str
    time: datetime
    kind: str
    size: int
    covers: datetime | None
    proven: datetime | None
    proven_by: str | None
    problem: str | None


def list_backups(repository: Path) -> tuple[list[ListedBackup], tuple[str, ...]]:
    """Return all backups, the oldest first, and what is wrong besides. Writes nothing.

    It takes no lock: a repository may be read-only, or a copy. Raises OSError, also if the
    directory is missing.
    """
    repository.stat()
    listed = read_repository(repository)
    return [_listed(backup) for backup in listed.backups], listed.problems


def _listed(backup: Backup) -> ListedBackup:
    record, manifest = backup.record, backup.manifest
    known = record if record and backup.complete else None
    failures = "; ".join(known.failures) if known else ""
    made = time_of_stamp(backup.stamp)
    if made is None:
        raise ValueError(f"{backup.stamp} is no stamp")
    return ListedBackup(
        stamp=backup.stamp,
        time=made,
        kind=backup.kind,
        size=backup.size,
        covers=_moment(time_of(manifest.tid.to_bytes(8, "big"))) if manifest else None,
        proven=_moment(known.time) if known and backup.proven else None,
        proven_by=known.level.word if known and backup.proven else None,
        problem=backup.problem or failures or None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
