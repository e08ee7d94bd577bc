"""Packing, backing up and verifying a database as it is configured."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zope_exporter.config.actions import PackConfig
from zope_exporter.maintenance.backup.retention import Retention
from zope_exporter.maintenance.backup.target import BackupSettings, Source
from zope_exporter.maintenance.backup.verification_record import Level, Schedule
from zope_exporter.maintenance.jobs.job import Facts
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.maintenance.pack.target import PackResult, PackSettings, PackTarget
from zope_exporter.system.humanize import few

from .commands import Order, surrounded
from .databases import BackupPlan, SiteDatabase

if TYPE_CHECKING:
    from zope_exporter.maintenance.backup.verification import Verdict


def run_backup(plan: BackupPlan, report: Report) -> Facts:
    """Make a backup, full or incremental, and prove it: one that is not proven does not count."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.backup.run import backup

    given = plan.settings
    with surrounded(partial(_order, plan), given.before, given.after, report):
        made = backup(_source(plan), plan.repository, _backup_settings(plan), report)
        proof = _proof(plan, report)
    return {
        "kind": made.kind,
        "transactions": made.transactions,
        "written_bytes": made.size,
        "removed": list(made.removed),
        **proof,
        **({"before_status": 0} if given.before else {}),
        **({"after_status": 0} if given.after else {}),
    }


def _order(plan: BackupPlan, stage: str, command: Sequence[str], result: str) -> Order:
    about = {
        "SITE": plan.site,
        "DATABASE": plan.database,
        "REPOSITORY": str(plan.repository),
        "RESULT": result,
    }
    environ = {f"ZOPE_EXPORTER_{key}": value for key, value in about.items() if value}
    return Order(stage, command, plan.settings.command_timeout, environ)


def run_verify(plan: BackupPlan, level: Level | None, report: Report) -> Facts:
    """Verify all backups at a level, or that configured; any doubt is a failure."""
    from zope_exporter.maintenance.backup.verification import verify

    level = level or _schedule(plan).level
    return _proven(verify(plan.repository, level, report, _source(plan)))


def _schedule(plan: BackupPlan) -> Schedule:
    return Schedule(Level[plan.settings.verify.level.upper()], plan.settings.verify.every)


def _proof(plan: BackupPlan, report: Report) -> Facts:
    """Prove a backup that was just made. It is there, whatever is in the way of the proof."""
    from zope_exporter.maintenance.backup.proof import prove

    schedule, source = _schedule(plan), _source(plan)
    try:
        return _proven(prove(plan.repository, schedule, report, source))
    except RefusedError as error:
        reason = f"the backup was made, and is not proven: {error.reason}"
        if error.code == "room":  # by its checksums it can be, without any
            less = replace(schedule, level=Level.CHECKSUMS)
            _proven(prove(plan.repository, less, report, source))
            reason = (
                f"the backup was made, and its checksums are right; it was not restored on trial:"
                f" {error.reason}"
            )
        raise ActionError("proving the backup", reason, error.remedy) from error


def _proven(verdict: "Verdict") -> Facts:
    if not verdict.ok:
        failures = few(verdict.failures, "; ")
        raise ActionError("verifying", failures, "do not rely on what is named")
    facts = {"backup": verdict.stamp, "verified": verdict.level.word}
    if not verdict.database_faults:
        return facts
    # The backup is good: what is wrong was so in the Data.fs, and another backup would not help.
    return {**facts, "database_faults": list(verdict.database_faults)}


def rehearse_backup(plan: BackupPlan, report: Report) -> None:
    """Say what a backup would write and remove; nothing is touched."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.backup.rehearsal import rehearse

    rehearse(_source(plan), plan.repository, _backup_settings(plan), report)


def _backup_settings(plan: BackupPlan) -> BackupSettings:
    given = plan.settings
    keep = Retention(given.keep_for, given.keep_daily, given.keep_weekly, given.keep_monthly)
    return BackupSettings(
        gzip=given.gzip, keep_full=given.keep_full, keep=keep, hard_links=given.hard_links
    )


def _source(plan: BackupPlan) -> Source:
    storage = plan.storage
    return Source(
        storage.data_fs, storage.blob_dir, plan.place.database, plan.site, storage.over_base
    )


def run_pack(
    database: SiteDatabase,
    config: PackConfig,
    plan: BackupPlan | None,
    state: Path | None,
    report: Report,
) -> Facts:
    """Pack; `plan` is how the database is backed up, if it is, `state` the state file."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.pack.choose_engine import choose
    from zope_exporter.maintenance.pack.run import pack

    target = PackTarget(database.storage, choose(database.storage, database.uses))
    return _facts(pack(target, pack_settings(config, plan, state, database, report), report))


def pack_settings(
    config: PackConfig,
    plan: BackupPlan | None,
    state: Path | None,
    database: SiteDatabase,
    report: Report,
) -> PackSettings:
    """Return how a database is packed, as it is configured."""
    from .garbage import known_garbage

    garbage = known_garbage(state, database.storage)
    settings = PackSettings(config.days, garbage=garbage, max_quiet=config.max_quiet)
    if plan is None or not config.require_backup:
        return settings
    last_proven = partial(plan.last_proven, report)
    return replace(settings, backup_max_age=plan.settings.max_age, proven=last_proven)


def _facts(result: PackResult) -> Facts:
    return {
        "way": result.engine,
        "before_bytes": result.before.data,
        "after_bytes": result.after.data,
        "freed_bytes": result.freed,
        "old_bytes": result.after.old,
        "blobs_before_bytes": result.before.blobs,
        "blobs_after_bytes": result.after.blobs,
        "leftovers": list(result.leftovers),
    }
