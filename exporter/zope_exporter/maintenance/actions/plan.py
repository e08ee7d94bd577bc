"""What is to be known before a database is packed, from all that knows of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from typing import TYPE_CHECKING

from zope_exporter.config.actions import PACK, PackConfig
from zope_exporter.maintenance.jobs.job import Job, Task
from zope_exporter.maintenance.jobs.lock import seen_holder
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.plan import Answer, Plan, moment, proof_of, refused
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.state import StateError

from .databases import BackupPlan, SiteDatabase, covered_at
from .external import ExternalBackup
from .run import pack_settings

if TYPE_CHECKING:
    from zope_exporter.maintenance.backup.repository import Backup
    from zope_exporter.maintenance.pack.target import PackEngine

LAST = 5


@dataclass(frozen=True)
class PackQuestion:
    """A pack that is thought of: of what, how, and what else is known of the database.

    `backups` are those made here, `external` those by others; neither where there are none.
    """

    database: SiteDatabase
    config: PackConfig
    backups: BackupPlan | None
    external: ExternalBackup | None

    @property
    def task(self) -> Task:
        return Task(self.database.site, self.database.name, PACK)


def plan_pack(
    question: PackQuestion, store: JobStore, report: Report, clock: Callable[[], float] = time.time
) -> Plan:
    """Look at all that a pack depends on; nothing is touched."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.pack.choose_engine import choose
    from zope_exporter.maintenance.pack.plan import about_pack
    from zope_exporter.maintenance.pack.preconditions import refusals
    from zope_exporter.storage.filestorage.open_files import openers

    report.stage("looking at the database")
    now, database, backups = clock(), question.database, question.backups
    proven = cache(partial(backups.proven_backup, report)) if backups else lambda: None
    given = pack_settings(question.config, backups, store.file, database, report)
    settings = replace(given, proven=lambda: covered_at(proven()))
    engine: PackEngine | None = None
    nobody: list[RefusedError] = []
    try:
        engine = choose(database.storage, database.uses, look=openers)
    except RefusedError as error:
        nobody = [error]
    answers = [*about_pack(database.storage, engine, settings, now)]
    used = next(each.facts["data_bytes"] for each in answers if each.name == "frees")
    past = partial(store.succeeded, question.task, LAST)
    answers += [takes(str(question.task), past, used, now), _backup(question, proven, now)]
    running, in_the_way = _running(question, store)
    found = [*refusals(database.storage, settings, now)]
    found += refused(engine.check) if engine else nobody
    return Plan((*answers, running), (*found, *in_the_way))


def takes(what: str, jobs: Callable[[], Sequence[Job]], used: int | None, now: float) -> Answer:
    """Say how long it will take by how long the last ones took, each by the size it was of."""
    try:
        past = [*_past(jobs())]
    except StateError as error:
        return Answer("takes", f"unknown: {error}", {"seconds": None, "past": []})
    if not past:
        text = f"unknown: no {what} that succeeded is remembered"
        return Answer("takes", text, {"seconds": None, "past": []})
    seconds = median(took * (used / of if used and of else 1.0) for _, took, of in past)
    spans = [took for _, took, _ in past]
    begun, _, of = past[0]
    times = (
        duration(spans[0]) if len(past) == 1 else f"{_short(min(spans))} to {_short(max(spans))}"
    )
    each = "the last one" if len(past) == 1 else f"the last {len(past)}"
    text = f"about {_short(seconds)} by {each}, which took {times}"
    text += f"; the last was {duration(now - begun)} ago" + (f", of {size(of)}" if of else "")
    shown = [
        {"begun": moment(begun), "seconds": round(took, 1), "data_bytes": of}
        for begun, took, of in past
    ]
    return Answer("takes", text, {"seconds": round(seconds, 1), "past": shown})


def _past(jobs: Sequence[Job]) -> Iterator[tuple[float, float, int | None]]:
    for job in jobs:
        if job.begun is not None and job.ended is not None:
            yield job.begun, max(job.ended - job.begun, 0.0), job.result.get("before_bytes")


def _short(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "a second"


def _backup(question: PackQuestion, proven: "Callable[[], Backup | None]", now: float) -> Answer:
    if question.external is not None:
        return _by_others(question.external)
    if question.backups is None:
        text = "no backup is configured here: nothing is known that could bring the site back"
        return Answer("backup", text, {"stamp": None, "covers_until": None, "proven": None})
    try:
        backup = proven()
    except RefusedError as error:
        return Answer("backup", f"unknown: {error.advice}", {"stamp": None})
    if backup is None:
        text = f"none in {question.backups.repository} was ever proven"
        return Answer("backup", text, {"stamp": None, "covers_until": None, "proven": None})
    covers_all, (good, proof) = _covers_all(question, backup), proof_of(backup, now)
    facts = {
        "stamp": backup.stamp,
        "repository": str(backup.repository),
        "covers_until": moment(backup.covered),
        "covers_everything": covers_all,
        **proof,
    }
    rest = {
        True: "which is every transaction",
        False: "and there are later transactions",
        None: "whether there are later transactions is not known",
    }[covers_all]
    text = f"{backup.stamp} covers all until {moment(backup.covered)}, {rest}; it was {good}"
    return Answer("backup", text, facts)


def _covers_all(question: PackQuestion, backup: "Backup") -> bool | None:
    from zope_exporter.storage.filestorage.datafile import FileStorageError
    from zope_exporter.storage.filestorage.tail import read_tail

    if backup.covered_tid is None or question.database.storage is None:
        return None
    with suppress(FileStorageError):
        last = read_tail(question.database.storage.data_fs).last
        return last is None or last.tid <= backup.covered_tid
    return None


def _by_others(external: ExternalBackup) -> Answer:
    made = None
    with suppress(OSError):
        made = external.last_success()
    known = f"{external.path} tells of one at {moment(made)}" if made else "none is known"
    text = f"made by others: {known}; whether it can be restored is not known here"
    return Answer("backup", text, {"stamp": None, "covers_until": moment(made), "proven": None})


def _running(question: PackQuestion, store: JobStore) -> tuple[Answer, list[RefusedError]]:
    """Say what runs on the host, and what of it would not let the pack begin."""
    unknown = ""
    jobs: list[Job] = []
    try:
        _, jobs = store.summary()
    except StateError as error:
        unknown = f"which jobs run is not known: {error}"
    storage = question.database.storage
    holder = seen_holder(storage.data_fs.parent) if storage else None
    lines = [unknown] if unknown else [f"job {job.id}, {job.task}, is {job.state}" for job in jobs]
    lines = lines or ["no job"]
    lines += [f"{holder} holds the lock of the database"] if holder else []
    facts = {
        "jobs": None
        if unknown
        else [{"id": j.id, **j.task._asdict(), "state": j.state} for j in jobs],
        "lock_held_by": holder,
    }
    return Answer("runs", "; ".join(lines), facts), [*_in_the_way(question.task, jobs, holder)]


def _in_the_way(task: Task, jobs: Sequence[Job], holder: str | None) -> Iterator[RefusedError]:
    for job in jobs:
        if job.task == task:
            yield RefusedError("duplicate", f"{task} is {job.state} already as job {job.id}")
    if holder is not None:
        reason = f"{holder} holds the lock of the database"
        yield RefusedError("busy", reason, "try again when it has ended")
