"""Proving a backup right after it was made: now and then all of it, else what is new in it.

What was proven and not written to since needs no second look each time: reading all of it costs as
much as the site is big. Disks decay, however, and so the whole is proven again every so often.
"""

from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .disk import Means
from .manifest import Piece
from .pieces import damage
from .repository import Backup, Repository, read_repository
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
        for backup in [backup for backup in proven if backup.has_blobs][-1:]:
            self._pass_over_blobs(backup)
        self.read(newest, newest.pieces, done)

    def _pass_over_blobs(self, proven: Backup) -> None:
        """Take the sums of a proven backup for those of its blobs that were not written since."""
        now = proven.record.time if proven.record else 0.0
        try:
            for blob in (self.blobs.lists.of(proven) or {}).values():
                if self.blobs.find(blob.place).written < now:
                    self.blobs.sums[blob.place] = blob.sha256
        except (OSError, ActionError):
            return  # whatever it is: it is read, and then said

    def check_contents(self, source: Source) -> None:
        """The backup that was just made has done that."""

    def damage(self, backup: Backup, piece: Piece) -> str:
        """Compare by SHA-256 alone; the MD5 sum was taken of the same bytes a moment ago."""
        return damage(backup.repository, piece, self.report, with_md5=False)

    def is_judged(self, backup: Backup) -> bool:
        return backup is self.listed.newest and not backup.proven
