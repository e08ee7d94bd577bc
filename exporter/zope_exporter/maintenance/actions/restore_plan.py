"""What is to be known before a restore, from all that knows of it."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.config.actions import BACKUP, VERIFY
from zope_exporter.maintenance.jobs.job import Job, Task
from zope_exporter.maintenance.jobs.report import RefusedError, Report, Silent
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.plan import Answer, Plan, refused
from zope_exporter.maintenance.restore.exclusive_access import in_use
from zope_exporter.maintenance.restore.place import Place, check_place, stamp_of
from zope_exporter.maintenance.restore.plan import (
    Why,
    about_backup,
    about_losses,
    about_room,
    about_use,
    needed,
)
from zope_exporter.maintenance.restore.repository_source import BackupSource, choose_backup
from zope_exporter.maintenance.room import check_room
from zope_exporter.storage.filestorage.open_files import openers

from .catalog import ActionCatalog
from .databases import BackupPlan
from .plan import LAST, takes

TRIAL = "restore"


@dataclass(frozen=True)
class RestoreQuestion:
    """A restore that is thought of; site and database are None where the repository tells none.

    Where `data_fs` is None it is not known where to.
    """

    repository: Path
    site: str | None
    database: str | None
    data_fs: Path | None
    blob_dir: Path | None

    @classmethod
    def of(
        cls,
        catalog: ActionCatalog,
        source: str,
        database: str | None,
        data_fs: Path | None,
        blob_dir: Path | None,
    ) -> "RestoreQuestion":
        """Return what a site or a path means. Raises RefusedError `unknown` or `ambiguous`."""
        plans = [each for each in catalog.plans() if database in (None, each.database)]
        if "/" in source:
            real = os.path.realpath(source)
            found = [each for each in plans if os.path.realpath(each.repository) == real]
            if not found:
                return cls(Path(source).absolute(), None, database, data_fs, blob_dir)
        else:
            found = [each for each in plans if each.site == source]
        plan = _one(source, found)
        if data_fs is None:
            data_fs, blob_dir = plan.storage.data_fs, blob_dir or plan.storage.blob_dir
        return cls(plan.repository, plan.site, plan.database, data_fs, blob_dir)


def _one(source: str, found: Sequence[BackupPlan]) -> BackupPlan:
    if not found:
        raise RefusedError(
            "unknown",
            f"no backups of a site called {source} are configured here",
            "name their directory, with a slash in it, and the Data.fs to restore",
        )
    if len(found) > 1:
        names = ", ".join(f"--database {each.database}" for each in found)
        raise RefusedError("ambiguous", "there are several databases", f"name one: {names}")
    return found[0]


def plan_restore(
    question: RestoreQuestion, catalog: ActionCatalog, at: bytes | str | None, report: Report
) -> Plan:
    """Look at all that a restore depends on; nothing is touched, no lock is taken.

    `at` is a transaction id or a stamp. Raises RefusedError where no backup can be chosen, and
    OSError.
    """
    report.stage("looking at the backups")
    now, why = time.time(), Why()
    source = choose_backup(question.repository, at, None, why)
    answers = [*about_backup(source, why.lines, now)]
    refusals: list[RefusedError] = []
    if question.data_fs is None:
        text = "unknown: no Data.fs is named to restore to"
        answers += [Answer(name, text, {}) for name in ("room", "lost", "meanwhile")]
    else:
        place = Place(question.data_fs, question.blob_dir, stamp_of(now))
        refusals += _room(source, place, answers)
        answers.append(about_losses(source, place.data_fs))
        refusals += _use(place, catalog, answers)
    answers.append(_takes(question, catalog.store, now))
    return Plan(tuple(answers), tuple(refusals))


def _room(source: BackupSource, place: Place, answers: list[Answer]) -> Iterator[RefusedError]:
    yield from refused(check_place, place, Silent())
    try:
        needs = needed(source, place)
    except RefusedError as error:
        yield error
        return
    answers.append(about_room(needs))
    yield from refused(check_room, needs)


def _use(place: Place, catalog: ActionCatalog, answers: list[Answer]) -> Iterator[RefusedError]:
    found = openers(place.data_fs)
    services = [service for _, service in catalog.inventory().services()]
    stopped = [*in_use(found, place.data_fs, services, place.blob_dir)]
    answers.append(about_use(found, place.data_fs, stopped))
    yield from stopped


def _takes(question: RestoreQuestion, store: JobStore, now: float) -> Answer:
    site, database = question.site, question.database

    def trials() -> list[Job]:
        """Return verifications that restored on trial, else backups that were proven by that."""
        if site is None or database is None:
            return []
        for action in (VERIFY, BACKUP):
            jobs = store.succeeded(Task(site, database, action), LAST)
            found = [job for job in jobs if job.result.get("verified") == TRIAL]
            if found:
                return found
        return []

    return takes("trial restore", trials, None, now)
