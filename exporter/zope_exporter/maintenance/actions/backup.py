"""Backing up a database as it is configured, and proving what that made."""

from zope_exporter.maintenance.backup.target import BackupSettings, Source
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.job import Facts
from zope_exporter.maintenance.jobs.report import ActionError, Report

from .backups import BackupPlan

TOLD = 5


def run_backup(plan: BackupPlan, report: Report) -> Facts:
    """Make a backup, full or incremental, and verify it: one that is not proven does not count."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.backup.run import backup

    settings = BackupSettings(gzip=plan.settings.gzip, keep_full=plan.settings.keep_full)
    made = backup(_source(plan), plan.repository, settings, report)
    return {
        "kind": made.kind,
        "transactions": made.transactions,
        "written_bytes": made.size,
        "removed": list(made.removed),
        **run_verify(plan, report),
    }


def run_verify(plan: BackupPlan, report: Report) -> Facts:
    """Verify the newest backup at the configured level; any doubt is a failure."""
    from zope_exporter.maintenance.backup.verification import verify

    level = Level[plan.settings.verify.upper()]
    verdict = verify(plan.repository, level, report, _source(plan))
    if not verdict.ok:
        more = len(verdict.failures) - TOLD
        failures = [*verdict.failures[:TOLD], *([f"and {more} more"] if more > 0 else [])]
        raise ActionError("verifying", "; ".join(failures), "do not rely on what is named")
    facts = {"backup": verdict.stamp, "verified": verdict.level.name.lower()}
    if not verdict.database_faults:
        return facts
    # The backup is good: what is wrong was so in the Data.fs, and another backup would not help.
    return {**facts, "database_faults": list(verdict.database_faults)}


def _source(plan: BackupPlan) -> Source:
    storage = plan.storage
    return Source(storage.data_fs, storage.blob_dir, plan.database, plan.site)
