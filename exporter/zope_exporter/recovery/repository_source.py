"""A backup of a repository as what is restored, chosen by the moment whose state is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from persistent.TimeStamp import TimeStamp

from zope_exporter.filestorage.tail import read_tail
from zope_exporter.jobs.report import ActionError, RefusedError, Report
from zope_exporter.repository.listing import Backup, Repository, read_repository
from zope_exporter.repository.lock import shared
from zope_exporter.repository.pieces import DamagedPieceError, write_restored
from zope_exporter.repository.snapshots import check_blobs

from .moment import shown
from .source import Source

STAGE = "verification"


class BackupSource:
    """One backup; its blobs are those of its own snapshot, unless others are given."""

    def __init__(self, backup: Backup, blobs: Path | None) -> None:
        self.name = f"backup {backup.stamp} of {backup.repository}"
        self.size = backup.pieces[-1].end
        self.blobs = blobs or backup.blob_snapshot
        self._backup = backup

    def verify(self, report: Report) -> None:
        """Check every blob; the pieces are checked when they are read, all before any exchange."""
        faults = list(check_blobs(self._backup, report))
        if faults:
            more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise ActionError(STAGE, f"{self.name}: {faults[0]}{more}", "use another with --at")

    def write(self, target: Path, report: Report) -> None:
        try:
            write_restored(self._backup, target, report)
        except DamagedPieceError as error:
            reason = f"{error.piece}: {error.reason}"
            raise ActionError(STAGE, reason, "use another with --at") from error
        last, told = read_tail(target).last, self._backup.covered_tid
        found = int.from_bytes(last.tid, "big") if last else 0
        if told is not None and found != told:
            raise ActionError(STAGE, f"{self.name} ends with another transaction than it says")


@contextmanager
def backup_source(
    path: Path, at: bytes | None, blobs: Path | None, report: Report
) -> Iterator[Source]:
    """Give the newest complete backup, or that of a moment, while nobody changes the repository.

    Raises RefusedError `missing`.
    """
    try:
        with shared(path):
            backup = _chosen(read_repository(path), at, report)
            yield BackupSource(backup, blobs)
    except OSError as error:
        raise ActionError(
            "reading the repository", f"{error.filename}: {error.strerror}"
        ) from error


def _chosen(repository: Repository, at: bytes | None, report: Report) -> Backup:
    wanted = [backup for backup in repository.backups if at is None or end_of(backup) <= at]
    fit = [backup for backup in wanted if backup.complete]
    if not fit:
        when = f" of or before {shown(at)}" if at else ""
        first = next((end_of(backup) for backup in repository.complete), None)
        earliest = f"the earliest is of {shown(first)}" if first else "there is none at all"
        raise RefusedError("missing", f"{repository.path} has no complete backup{when}", earliest)
    backup = max(fit, key=end_of)
    for later in wanted:
        if not later.complete and later.stamp > backup.stamp:
            report.say(f"passed over backup {later.stamp}, which is not whole: {later.problem}")
    proof = "" if backup.proven else "; it was never proven before"
    report.say(f"restoring the {backup.kind} backup to {shown(end_of(backup))}{proof}")
    return backup


def end_of(backup: Backup) -> bytes:
    """Return the last transaction of a backup; of repozo's, what can have been by its stamp."""
    if backup.covered_tid is not None:
        return backup.covered_tid.to_bytes(8, "big")
    when = datetime.fromtimestamp(backup.covered, timezone.utc)
    return bytes(TimeStamp(*when.timetuple()[:5], float(when.second)).raw())
