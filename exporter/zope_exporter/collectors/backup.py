"""What each backup repository proves, read from the repository itself."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from zope_exporter.actions.backups import BackupPlan
from zope_exporter.collector import Part
from zope_exporter.metric import Metric, Sample

LABELS = ("site", "database")

LAST_SUCCESS = Metric(
    "zope_backup_last_success_timestamp_seconds",
    "gauge",
    "Time of the newest complete backup in the repository, in seconds since the epoch; absent while"
    " there is none.",
    LABELS,
)
LAST_VERIFIED = Metric(
    "zope_backup_last_verified_timestamp_seconds",
    "gauge",
    "Time a backup in the repository was last proven to be good, in seconds since the epoch; absent"
    " while none is.",
    LABELS,
)
COVERED = Metric(
    "zope_backup_covered_transaction_timestamp_seconds",
    "gauge",
    "Time of the last transaction that the newest complete backup holds, in seconds since the"
    " epoch: the site lacks no backup while the Data.fs has none after it.",
    LABELS,
)
MAX_AGE = Metric(
    "zope_backup_max_age_seconds",
    "gauge",
    "How long a commit may go without a proven backup, as configured under `backup.max_age`.",
    LABELS,
)
SIZE = Metric(
    "zope_backup_size_bytes",
    "gauge",
    "Size of the backups in the repository: of full ones, incremental ones, and blobs.",
    (*LABELS, "kind"),
)
FILES = Metric(
    "zope_backup_files",
    "gauge",
    "Files of the backups in the repository: of full ones, incremental ones, and blobs.",
    (*LABELS, "kind"),
)
AVAILABLE = Metric(
    "zope_backup_repository_avail_bytes",
    "gauge",
    "Room left to users other than root on the file system of the repository.",
    LABELS,
)


class RepositoryMissingError(Exception):
    """There is no repository where the configuration has one."""


class BackupCollector:
    """Reads the repositories of all databases that are to be backed up."""

    name = "backup"
    metrics = (LAST_SUCCESS, LAST_VERIFIED, COVERED, MAX_AGE, SIZE, FILES, AVAILABLE)

    def __init__(self, plans: Callable[[], Iterable[BackupPlan]]) -> None:
        self._plans = plans

    def parts(self) -> Iterable[Part]:
        return [
            Part(f"{plan.site}/{plan.database}", partial(self._collect, plan))
            for plan in self._plans()
        ]

    def _collect(self, plan: BackupPlan) -> Iterator[Sample]:
        labels = {"site": plan.site, "database": plan.database}
        yield MAX_AGE(plan.settings.max_age, **labels)
        room = _room(plan.repository)
        yield AVAILABLE(room.f_bavail * room.f_frsize, **labels)


def _room(repository: Path) -> os.statvfs_result:
    try:
        return os.statvfs(repository)
    except FileNotFoundError:
        raise RepositoryMissingError(
            f"{repository} is missing: no backup was made yet, or its file system is not mounted"
        ) from None
