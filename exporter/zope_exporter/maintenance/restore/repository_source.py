"""A backup of a repository as what is restored, chosen by the moment whose state is wanted.

The state of a moment between two backups is in the later one, up to there. Once a backup has turned
out to be damaged, another one that is whole is looked for.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from persistent.TimeStamp import TimeStamp

from zope_exporter.maintenance.backup.blob_check import BlobCheck
from zope_exporter.maintenance.backup.blob_lists import Blob, blobs_of
from zope_exporter.maintenance.backup.headers import Headers
from zope_exporter.maintenance.backup.integrity import faithful
from zope_exporter.maintenance.backup.pieces import (
    DamagedPieceError,
    all_contents,
    damage,
    write_restored,
)
from zope_exporter.maintenance.backup.place import DATABASES
from zope_exporter.maintenance.backup.repository import Backup, Repository, read_repository, shared
from zope_exporter.maintenance.backup.stamps import BLOBS
from zope_exporter.maintenance.backup.stream_check import BrokenStructureError
from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
)
from zope_exporter.storage.filestorage.format import Transaction
from zope_exporter.storage.filestorage.tail import read_tail

from .cut import Cut, PackedError, find_cut
from .point_in_time import shown
from .source import Source, odd_ones, sizes_of

STAGE = "verification"


class BackupSource:
    """One backup of those that are `fit`.

    Its blobs are its own, or those of the last one before it where repozo made the backup, which
    backs up none, unless others are given.
    """

    def __init__(
        self,
        fit: tuple[Backup, ...],
        backup: Backup,
        blobs: Path | None,
        cut: Cut | None = None,
    ) -> None:
        """With a `cut`, what is later is left out."""
        self.name = f"backup {backup.stamp} of {backup.repository}"
        self.size = backup.pieces[-1].end
        self.faithful = faithful(backup)
        self.backup = backup
        self._fit = fit
        self._cut = cut
        self._with_blobs = None if blobs else _with_blobs_of(backup, fit)
        self.blobs = backup.repository / BLOBS if self._with_blobs else blobs
        self.listed = self._with_blobs is backup

    @property
    def last(self) -> int:
        """The id of its last transaction; of a backup by repozo the last that it can have."""
        return self._cut.tid if self._cut else int.from_bytes(end_of(self.backup), "big")

    def sizes(self) -> Mapping[str, int]:
        if self._with_blobs is None:
            sizes = sizes_of(self.blobs)
        else:
            sizes = {path: blob.size for path, blob in self._blobs.items()}
        return {path: size for path, size in sizes.items() if self._has(path)}

    def file_of(self, blob: str) -> Path:
        if self._with_blobs is None:
            return (self.blobs or Path()) / blob
        return self.backup.repository / BLOBS / self._blobs[blob].place

    @cached_property
    def _blobs(self) -> Mapping[str, Blob]:
        """Those that the backup lists."""
        return (blobs_of(self._with_blobs) if self._with_blobs else None) or {}

    def _has(self, blob: str) -> bool:
        return self._cut is None or self._cut.has(blob)

    def verify(self, report: Report) -> None:
        """The pieces are checked when they are read, all before any exchange."""
        report.check()

    def bad_blobs(self, report: Report) -> Mapping[str, str]:
        """Read every blob."""
        if self._with_blobs is None:
            return odd_ones(self.blobs)
        if self._with_blobs is not self.backup:
            report.say(
                f"the blobs are those of the backup {self._with_blobs.stamp}, the last before it"
                " that has any"
            )
        with BlobCheck(self.backup.repository, report) as check:
            faults = check.contents(self._with_blobs)
            return {fault.path: fault.reason for fault in faults if self._has(fault.path)}

    def write(self, target: Path, report: Report) -> None:
        try:
            write_restored(self.backup, target, report)
        except DamagedPieceError as error:
            reason = f"{error.piece}: {error.reason}"
            raise ActionError(STAGE, reason, self.instead(report)) from error
        told = self.backup.covered_tid
        if self._cut is not None:
            os.truncate(target, self._cut.position)
            told = self._cut.tid
        last = read_tail(target).last
        found = last.tid if last else 0
        if told is not None and found != told:
            raise ActionError(STAGE, f"{self.name} ends with another transaction than it says")

    def instead(self, report: Report) -> str:
        others = [backup for backup in self._fit if backup is not self.backup]
        other = newest_whole(others, report)
        if other is None:
            return "no other backup of that time or before is whole"
        return f"the newest other one that is whole: --at {other.stamp}"


@contextmanager
def backup_source(
    path: Path, at: bytes | str | None, blobs: Path | None, report: Report
) -> Iterator[Source]:
    """Give what `choose_backup` does, while nobody changes the repository."""
    try:
        with shared(path):
            yield choose_backup(path, at, blobs, report)
    except OSError as error:
        raise ActionError(
            "reading the repository", f"{error.filename}: {error.strerror}"
        ) from error


def choose_backup(
    path: Path, at: bytes | str | None, blobs: Path | None, report: Report
) -> BackupSource:
    """Return the newest complete backup, or that of a moment; why that one is reported.

    The moment is a transaction id or a stamp. Raises RefusedError `missing`, and OSError.
    """
    repository = read_repository(path)
    fit = tuple(backup for backup in repository.complete if _is_of(backup, at))
    between = _between(repository, fit, at, report) if isinstance(at, bytes) else None
    if between is not None:
        backup, cut = between
        return BackupSource((*fit, backup), backup, blobs, cut)
    _check_any(repository, fit, at)
    broken = [each for each in repository.backups if not each.complete and _is_of(each, at)]
    return BackupSource(fit, _chosen(fit, broken, report), blobs)


def _between(
    repository: Repository, fit: Sequence[Backup], at: bytes, report: Report
) -> tuple[Backup, Cut] | None:
    """Return the backup that goes on beyond a moment, and where; None if none has more of it."""
    newest = max(fit, key=lambda each: each.stamp, default=None)
    known = int.from_bytes(end_of(newest), "big") if newest else 0
    later = min(
        (
            each
            for each in repository.complete
            if end_of(each) > at and (newest is None or each.stamp > newest.stamp)
        ),
        key=lambda each: each.stamp,
        default=None,
    )
    if later is None:
        return None
    try:
        cut = find_cut(_transactions(later, newest, report), int.from_bytes(at, "big"))
    except PackedError:
        report.say(f"a pack before {later.stamp} has removed states of that time")
        return None
    except (DamagedPieceError, BrokenStructureError) as error:
        report.say(f"passed over backup {later.stamp}, which is not whole: {error}")
        return None
    if cut.tid <= known:
        return None
    report.say(
        f"restoring to {shown(cut.tid.to_bytes(8, 'big'))}, which is in the backup {later.stamp}:"
        " what is later is left out"
    )
    return later, cut


def _transactions(later: Backup, before: Backup | None, report: Report) -> Iterator[Transaction]:
    """Yield those of a backup but for what is in the pieces that one before it has as well."""
    shared = set(before.pieces) if before else set()
    pieces = [piece for piece in later.pieces if piece not in shared]
    report.stage("looking for the moment", sum(piece.end - piece.start for piece in pieces))
    headers = Headers(pieces[0].start)
    for data in all_contents(later.repository, pieces):
        report.check()
        yield from headers.feed(data)
        report.advance(len(data))


def _check_any(repository: Repository, fit: tuple[Backup, ...], at: bytes | str | None) -> None:
    """Raise RefusedError unless there are backups that fit."""
    if not fit:
        when = "" if at is None else f" of or before {at if isinstance(at, str) else shown(at)}"
        raise RefusedError(
            "missing", f"{repository.path} has no complete backup{when}", _hint(repository)
        )


def _is_of(backup: Backup, at: bytes | str | None) -> bool:
    if at is None:
        return True
    return backup.stamp <= at if isinstance(at, str) else end_of(backup) <= at


def _hint(repository: Repository) -> str:
    if repository.complete:
        first = min(repository.complete, key=end_of)
        return f"the earliest is of {shown(end_of(first))}, {first.stamp}"
    other = repository.path / DATABASES
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


def _with_blobs_of(backup: Backup, fit: tuple[Backup, ...]) -> Backup | None:
    """Return the backup that has the blobs of one."""
    if backup.has_blobs or backup.manifest:
        return backup if backup.has_blobs else None
    before = [each for each in fit if each.stamp < backup.stamp and each.has_blobs]
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
    newest_first = sorted(backups, key=lambda each: each.stamp, reverse=True)
    if not newest_first:
        return None
    with BlobCheck(newest_first[0].repository, report) as check:
        for backup in newest_first:
            for piece in backup.pieces:
                if piece.name not in damaged:
                    damaged[piece.name] = damage(backup.repository, piece, report)
                if damaged[piece.name]:
                    break
            else:
                if _has_all_blobs(backup, check):
                    return backup
    return None


def _has_all_blobs(backup: Backup, check: BlobCheck) -> bool:
    try:
        return not check.contents(backup)
    except InterruptedActionError:
        raise
    except ActionError:
        return False
