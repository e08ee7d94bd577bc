"""A backup of a repository as what is restored, chosen by the moment whose state is wanted.

Once it has turned out to be damaged, another one that is whole is looked for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from persistent.TimeStamp import TimeStamp

from zope_exporter.maintenance.backup.integrity import faithful
from zope_exporter.maintenance.backup.pieces import DamagedPieceError, damage, write_restored
from zope_exporter.maintenance.backup.repository import Backup, Repository, read_repository, shared
from zope_exporter.maintenance.backup.snapshots import blobs_of, check_blobs
from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
)
from zope_exporter.storage.filestorage.tail import read_tail

from .point_in_time import shown
from .source import Source, odd_ones, sizes_of

STAGE = "verification"
OTHER_DATABASES = "databases"


class BackupSource:
    """One backup of those that are `fit`.

    Its blobs are those of its own snapshot, or of the last one before it where repozo made the
    backup, which backs up none, unless others are given.
    """

    def __init__(self, fit: tuple[Backup, ...], backup: Backup, blobs: Path | None) -> None:
        self.name = f"backup {backup.stamp} of {backup.repository}"
        self.size = backup.pieces[-1].end
        self.faithful = faithful(backup)
        self._fit = fit
        self._backup = backup
        self._snapshot = None if blobs else _snapshot_for(backup, fit)
        self.blobs = self._snapshot.blob_snapshot if self._snapshot else blobs
        self.listed = self._snapshot is backup

    def sizes(self) -> Mapping[str, int]:
        if self._snapshot is None:
            return sizes_of(self.blobs)
        return {path: blob.size for path, blob in (blobs_of(self._snapshot) or {}).items()}

    def verify(self, report: Report) -> None:
        """The pieces are checked when they are read, all before any exchange."""
        report.check()

    def bad_blobs(self, report: Report) -> Mapping[str, str]:
        """Read every blob."""
        if self._snapshot is None:
            return odd_ones(self.blobs)
        if self._snapshot is not self._backup:
            report.say(
                f"the blobs are those of the backup {self._snapshot.stamp}, the last before it that"
                " has any"
            )
        faults = [text.partition(": ") for text in check_blobs(self._snapshot, report)]
        return {path: reason for path, _, reason in faults}

    def write(self, target: Path, report: Report) -> None:
        try:
            write_restored(self._backup, target, report)
        except DamagedPieceError as error:
            reason = f"{error.piece}: {error.reason}"
            raise ActionError(STAGE, reason, self.instead(report)) from error
        last, told = read_tail(target).last, self._backup.covered_tid
        found = last.tid if last else 0
        if told is not None and found != told:
            raise ActionError(STAGE, f"{self.name} ends with another transaction than it says")

    def instead(self, report: Report) -> str:
        others = [backup for backup in self._fit if backup is not self._backup]
        other = newest_whole(others, report)
        if other is None:
            return "no other backup of that time or before is whole"
        return f"the newest other one that is whole: --at {other.stamp}"


@contextmanager
def backup_source(
    path: Path, at: bytes | str | None, blobs: Path | None, report: Report
) -> Iterator[Source]:
    """Give the newest complete backup, or that of a moment, while nobody changes the repository.

    The moment is a transaction id or a stamp. Raises RefusedError `missing`.
    """
    try:
        with shared(path):
            repository = read_repository(path)
            fit = _fit(repository, at)
            broken = [each for each in repository.backups if not each.complete and _is_of(each, at)]
            backup = _chosen(fit, broken, report)
            yield BackupSource(fit, backup, blobs)
    except OSError as error:
        raise ActionError(
            "reading the repository", f"{error.filename}: {error.strerror}"
        ) from error


def _fit(repository: Repository, at: bytes | str | None) -> tuple[Backup, ...]:
    """Return the complete backups that have nothing of later."""
    fit = tuple(backup for backup in repository.complete if _is_of(backup, at))
    if not fit:
        when = "" if at is None else f" of or before {at if isinstance(at, str) else shown(at)}"
        raise RefusedError(
            "missing", f"{repository.path} has no complete backup{when}", _hint(repository)
        )
    return fit


def _is_of(backup: Backup, at: bytes | str | None) -> bool:
    if at is None:
        return True
    return backup.stamp <= at if isinstance(at, str) else end_of(backup) <= at


def _hint(repository: Repository) -> str:
    if repository.complete:
        first = min(repository.complete, key=end_of)
        return f"the earliest is of {shown(end_of(first))}, {first.stamp}"
    other = repository.path / OTHER_DATABASES
    names = sorted(path.name for path in other.iterdir()) if other.is_dir() else []
    if names:
        return f"there are those of other databases in {', '.join(str(other / n) for n in names)}"
    return "there is none at all"


def _chosen(fit: Sequence[Backup], broken: Sequence[Backup], report: Report) -> Backup:
    """Return the newest of those that fit: that made last, as for `repozo -R`.

    The one with the highest transaction may be of a history that was given up: of before a restore.
    """
    backup = max(fit, key=lambda each: each.stamp)
    for later in broken:
        if later.stamp > backup.stamp:
            report.say(f"passed over backup {later.stamp}, which is not whole: {later.problem}")
    proof = "" if backup.proven else "; it was never proven before"
    report.say(
        f"restoring the {backup.kind} backup to {shown(end_of(backup))}, {backup.stamp}{proof}"
    )
    return backup


def _snapshot_for(backup: Backup, fit: tuple[Backup, ...]) -> Backup | None:
    """Return the backup that has the blobs of one."""
    if backup.blob_snapshot or backup.manifest:
        return backup if backup.blob_snapshot else None
    before = [each for each in fit if each.stamp < backup.stamp and each.blob_snapshot]
    return max(before, key=lambda each: each.stamp, default=None)


def end_of(backup: Backup) -> bytes:
    """Return the last transaction of a backup; of repozo's, what can have been by its stamp."""
    if backup.covered_tid is not None:
        return backup.covered_tid.to_bytes(8, "big")
    when = datetime.fromtimestamp(backup.covered, timezone.utc)
    return bytes(TimeStamp(*when.timetuple()[:5], float(when.second)).raw())


def newest_whole(backups: Collection[Backup], report: Report) -> Backup | None:
    """Return the newest of the backups of which every byte can be read, each being read once."""
    report.say("looking for another backup that is whole")
    damaged: dict[str, str] = {}
    sums: dict[tuple[int, int], str] = {}
    for backup in sorted(backups, key=lambda each: each.stamp, reverse=True):
        for piece in backup.pieces:
            if piece.name not in damaged:
                damaged[piece.name] = damage(backup.repository, piece, report)
            if damaged[piece.name]:
                break
        else:
            if _has_all_blobs(backup, sums, report):
                return backup
    return None


def _has_all_blobs(backup: Backup, sums: dict[tuple[int, int], str], report: Report) -> bool:
    try:
        return not any(True for _ in check_blobs(backup, report, sums))
    except InterruptedActionError:
        raise
    except ActionError:
        return False
