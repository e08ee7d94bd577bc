"""Packing a database as it is configured."""

from functools import partial

from zope_exporter.config.actions import PackConfig
from zope_exporter.maintenance.jobs.job import Facts
from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.maintenance.pack.target import PackResult, PackSettings, PackTarget

from .backups import BackupPlan
from .databases import SiteDatabase


def run_pack(
    database: SiteDatabase, config: PackConfig, plan: BackupPlan | None, report: Report
) -> Facts:
    """Pack; `plan` is how the database is backed up, if it is."""
    # Here, as all commands know the actions, and few of them begin one.
    from zope_exporter.maintenance.pack.choose_engine import choose
    from zope_exporter.maintenance.pack.run import pack

    way = choose(database.storage, database.uses)
    target = PackTarget(database.site, database.name, database.storage, way)
    return _facts(pack(target, _settings(config, plan, report), report))


def _settings(config: PackConfig, plan: BackupPlan | None, report: Report) -> PackSettings:
    if plan is None or not config.require_backup:
        return PackSettings(config.days)
    return PackSettings(config.days, plan.settings.max_age, partial(plan.last_proven, report))


def _facts(result: PackResult) -> Facts:
    return {
        "way": result.way,
        "before_bytes": result.before.data,
        "after_bytes": result.after.data,
        "freed_bytes": result.freed,
        "old_bytes": result.after.old,
        "blobs_before_bytes": result.before.blobs,
        "blobs_after_bytes": result.after.blobs,
        "leftovers": list(result.leftovers),
    }
