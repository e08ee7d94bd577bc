"""Proving a backup right after it was made: now and then all of it, else what is new in it.

What was proven and not written to since needs no second look each time: reading all of it costs as
much as the site is big. Disks decay, however, and so the whole is proven again every so often.
"""

from collections.abc import Iterator
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .disk import Means
from .repository import Backup, Repository, read_repository
from .snapshots import Blob, blobs_of, open_snapshot
from .target import Source
from .verification import Verdict, Verification, held
from .verification_record import Level, Schedule

# A backup that is made at the same time each day ends its proof some minutes later.
SLACK = 3600.0


def prove(
    repository: Path,
    schedule: Schedule,
    report: Report,
    source: Source,
    means: Means | None = None,
) -> Verdict:
    """Prove the newest backup, and note how it fared. Raises as `verify` does."""
    means = means or Means()
    with held(repository):
        listed = read_repository(repository)
        kind = Verification if _is_due(listed, schedule, means.clock()) else _OfTheNew
        return kind(listed, schedule.level, report, means).run(source)


def _is_due(listed: Repository, schedule: Schedule, now: float) -> bool:
    newest = listed.newest
    if newest is None or (newest.record and not newest.record.ok):
        return True
    proven = listed.last_proven_by(schedule.level)
    if proven is None or proven.record is None:
        return True
    age = now - proven.record.time
    return not 0 <= age < schedule.every - min(SLACK, schedule.every / 2)


class _OfTheNew(Verification):
    """Reads what no proven backup has: the pieces and blobs that the newest one came with."""

    def look(self, newest: Backup | None, _: Source | None) -> None:
        self.level = Level.CHECKSUMS
        if newest is None or newest.proven:
            self.level = newest.record.level if newest and newest.record else self.level
            return
        proven = [backup for backup in self.listed.complete if backup.proven]
        done = {piece.name for backup in proven for piece in backup.pieces}
        before = [backup for backup in proven if backup.blob_snapshot]
        if before:
            self.sums.update(_known_sums(newest, before[-1]))
        self.read(newest, newest.pieces, done)

    def check_contents(self, source: Source) -> None:
        """The backup that was just made has done that."""

    def is_judged(self, backup: Backup) -> bool:
        return backup is self.listed.newest and not backup.proven


def _known_sums(newest: Backup, proven: Backup) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the sums of the files that a proven backup has as well, and that are still the same."""
    try:
        ours, theirs = blobs_of(newest) or {}, blobs_of(proven) or {}
        with open_snapshot(newest) as new, open_snapshot(proven) as old:
            for path in _common(ours, theirs):
                one, other = new.status(path), old.status(path)
                file = one.st_dev, one.st_ino
                if file == (other.st_dev, other.st_ino) and one.st_size == ours[path].size:
                    yield file, ours[path].sha256
    except (OSError, ActionError):
        return  # whatever it is: it is read, and then said


def _common(ours: dict[str, Blob], theirs: dict[str, Blob]) -> Iterator[str]:
    return (path for path, blob in ours.items() if theirs.get(path) == blob)
