"""What each backup repository proves, read from the repository itself."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zope_exporter.maintenance.backup.identity import CONTENTS, NAMES, begins_later, other_names
from zope_exporter.maintenance.backup.repository import Repository, read_repository
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.filestorage.format import time_of

if TYPE_CHECKING:
    from zope_exporter.maintenance.actions.databases import BackupPlan
    from zope_exporter.maintenance.actions.external import ExternalBackup

LABELS = ("site", "database")

LAST_SUCCESS = Metric(
    "zope_backup_last_success_timestamp_seconds",
    "gauge",
    "Last time at which the newest complete backup contained the whole database, in seconds"
    " since the epoch: it was made then, or nothing had to be added; for backups by another"
    " program the time of the file that reports them; absent while there is none.",
    LABELS,
)
LAST_VERIFIED = Metric(
    "zope_backup_last_verified_timestamp_seconds",
    "gauge",
    "Time a backup in the repository was last proven to be good at the level of `backup.verify`, at"
    " least by its checksums, in seconds since the epoch; absent while none is.",
    LABELS,
)
COVERED = Metric(
    "zope_backup_covered_transaction_timestamp_seconds",
    "gauge",
    "Time of the last transaction in the newest complete backup, in seconds since the "
    "epoch, or the time at which it began where only repozo knows: all is saved while the "
    "Data.fs has no transaction after it.",
    LABELS,
)
DATABASE_FAULTS = Metric(
    "zope_backup_database_faults",
    "gauge",
    "References that lead nowhere and blobs that are missing in the database itself, as the last"
    " verification by restore found; absent before one.",
    LABELS,
)
MAX_AGE = Metric(
    "zope_backup_max_age_seconds",
    "gauge",
    "How long a commit may be without a proven backup, as configured under `backup.max_age`.",
    LABELS,
)
EXTERNAL = Metric(
    "zope_backup_external",
    "gauge",
    "Always 1, for a database whose backups are made by another program, as configured "
    "under `backup.external`: only their age is known; absent for all others.",
    LABELS,
)
ELSEWHERE = Metric(
    "zope_backup_elsewhere",
    "gauge",
    "Always 1, of a database whose backups are not to be watched here, as configured under"
    " `backup.elsewhere`; absent for all others.",
    LABELS,
)
SIZE = Metric(
    "zope_backup_size_bytes",
    "gauge",
    "Size of the full and the incremental backups in the repository, and of the blobs of the newest"
    " one, each of which is there once however many backups have it.",
    (*LABELS, "kind"),
)
FILES = Metric(
    "zope_backup_files",
    "gauge",
    "Number of full and incremental backups in the repository, and of blobs in the newest one.",
    (*LABELS, "kind"),
)
AVAILABLE = Metric(
    "zope_backup_repository_avail_bytes",
    "gauge",
    "Free space for users other than root on the file system of the repository.",
    LABELS,
)


Identity = frozenset[tuple[str, int, int, int]]


class RepositoryError(Exception):
    """A repository cannot be read, or holds something that cannot be relied on."""


class BackupCollector:
    """Reads the repositories of all databases that are to be backed up."""

    name = "backup"
    metrics = (
        LAST_SUCCESS,
        LAST_VERIFIED,
        COVERED,
        DATABASE_FAULTS,
        MAX_AGE,
        EXTERNAL,
        ELSEWHERE,
        SIZE,
        FILES,
        AVAILABLE,
    )

    def __init__(
        self,
        plans: "Callable[[], Iterable[BackupPlan]]",
        external: "Callable[[], Iterable[ExternalBackup]]" = tuple,
        elsewhere: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._plans = plans
        self._external = external
        self._elsewhere = elsewhere
        self._known: dict[tuple[str, str], tuple[Identity, Repository]] = {}

    def parts(self) -> Iterable[Part]:
        plans = list(self._plans())
        for gone in {*list(self._known)} - {(plan.site, plan.database) for plan in plans}:
            self._known.pop(gone, None)
        ours = [Part((plan.site, plan.database), partial(self._collect, plan)) for plan in plans]
        others = [
            Part((each.site, each.database), partial(_watch, each)) for each in self._external()
        ]
        unwatched = [Part(each, partial(_unwatched, *each)) for each in self._elsewhere()]
        return [*ours, *others, *unwatched]

    def _collect(self, plan: "BackupPlan") -> Iterator[Sample]:
        labels = {"site": plan.site, "database": plan.database}
        yield MAX_AGE(plan.settings.max_age, **labels)
        try:
            room = os.statvfs(plan.repository)
            repository = self._read(plan)
        except FileNotFoundError:
            why = "no backup was made yet, or its file system is not mounted"
            raise RepositoryError(f"{plan.repository} is missing: {why}") from None
        except PermissionError:
            why = "it has to belong to the user of zope-exporter: chown -R"
            raise RepositoryError(f"{plan.repository} may not be read: {why}") from None
        except OSError as error:
            raise RepositoryError(f"{plan.repository} cannot be read: {error.strerror}") from error
        yield AVAILABLE(room.f_bavail * room.f_frsize, **labels)
        _check_identity(repository, plan)
        yield from _newest(repository, Level[plan.settings.verify.level.upper()], labels)
        yield from _faults(repository, labels)
        yield from _sizes(repository, labels)
        if repository.problems:
            raise RepositoryError(f"{plan.repository}: {'; '.join(repository.problems)}")

    def _read(self, plan: "BackupPlan") -> Repository:
        """Read all manifests, which takes a while, only if any file is another than before."""
        identity = _identity(plan.repository)
        known = self._known.get((plan.site, plan.database))
        if known is None or known[0] != identity or known[1].path != plan.repository:
            known = identity, read_repository(plan.repository)
            self._known[plan.site, plan.database] = known
        return known[1]


def _unwatched(site: str, database: str) -> Iterator[Sample]:
    yield ELSEWHERE(1, site=site, database=database)


def _watch(backup: "ExternalBackup") -> Iterator[Sample]:
    labels = {"site": backup.site, "database": backup.database}
    yield MAX_AGE(backup.max_age, **labels)
    yield EXTERNAL(1, **labels)
    try:
        last = backup.last_success()
    except OSError as error:
        raise RepositoryError(f"{backup.path} cannot be read: {error.strerror}") from error
    if last is None:
        why = "the program that makes the backups has not reported a success yet"
        raise RepositoryError(f"{backup.path} is missing, or has no file in it: {why}")
    yield LAST_SUCCESS(last, **labels)


def _check_identity(repository: Repository, plan: "BackupPlan") -> None:
    """Raise RepositoryError, before anything is told of them, for backups of another database."""
    others = other_names(repository, plan.site, plan.place.database)
    if others:
        raise RepositoryError(f"{plan.repository}: {next(iter(others.values()))} ({NAMES})")
    reason = begins_later(repository, plan.storage.data_fs)
    if reason:
        raise RepositoryError(f"{plan.repository}: {reason} ({CONTENTS})")


def _identity(path: Path) -> Identity:
    found = set()
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.endswith(".tmp"):  # grows, and is nothing yet
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.add((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return frozenset(found)


def _newest(repository: Repository, level: Level, labels: dict[str, str]) -> Iterator[Sample]:
    newest = repository.newest
    if newest is None:
        return
    yield LAST_SUCCESS(newest.covered, **labels)
    tid = newest.covered_tid
    covered = newest.covered if tid is None else time_of(tid.to_bytes(8, "big"))
    yield COVERED(covered, **labels)
    proven = repository.last_proven_by(level)
    if proven and proven.record:
        yield LAST_VERIFIED(proven.record.time, **labels)


def _faults(repository: Repository, labels: dict[str, str]) -> Iterator[Sample]:
    proofs = [backup.record for backup in repository.backups if backup.record]
    counted = [
        (proof.time, proof.database_faults) for proof in proofs if proof.database_faults is not None
    ]
    if counted:
        yield DATABASE_FAULTS(max(counted)[1], **labels)


def _sizes(repository: Repository, labels: dict[str, str]) -> Iterator[Sample]:
    for kind in ("full", "incremental"):
        sizes = [backup.size for backup in repository.backups if backup.kind == kind]
        yield SIZE(sum(sizes), **labels, kind=kind)
        yield FILES(len(sizes), **labels, kind=kind)
    newest = repository.newest
    blobs = newest.manifest.blobs if newest and newest.manifest else None
    if blobs is not None:
        yield SIZE(blobs.size, **labels, kind="blobs")
        yield FILES(blobs.files, **labels, kind="blobs")
