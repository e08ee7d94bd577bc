"""Backups: what is covered, since when it is proven, and the jobs that see to it."""

from dataclasses import replace

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import (
    BYTES,
    COUNT,
    FAULTS,
    NEVER,
    NEVER_MADE,
    RATIO,
    RED,
    RUNNING,
    FieldConfig,
    Step,
    rising,
)
from .panels import Panel, Query, events, series, series_of, stat, states
from .queries import SITE, Metrics, backup_age, uncovered_seconds, used_of_the_age_allowed
from .tables import Column, table

_AGE = FieldConfig("s")
BACKUP_AGE = FieldConfig("s", (Step(NEVER, RED),), names=NEVER_MADE)


def backup_used(limits: Limits) -> FieldConfig:
    """How the part of the age allowed looks that a backup has used."""
    looks = rising("percentunit", limits.backup_age, 1, minimum=0, decimals=0)
    return replace(looks, names=NEVER_MADE)


def backup(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of backups and of the actions of the exporter."""
    return Dashboard(
        "zodb-backup",
        "ZODB / Backup",
        "Backups as the repositories prove them, and the packs, backups and verifications run.",
        (
            Row("Is everything covered?", _state(m, limits)),
            Row("Backups", _backups(m, limits)),
            Row("Jobs", _jobs(m)),
        ),
        variables=("site", "database"),
        since="now-7d",
    )


def _state(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    avail = m("zope_backup_repository_avail_bytes")
    databases = m("zope_filestorage_size_bytes")
    backed_up = m("zope_backup_last_success_timestamp_seconds")
    without = (
        f"count({databases} unless on ({SITE}, database) {backed_up}) or 0 * count({databases})"
    )
    return (
        stat(
            "Without a backup",
            "Databases for which no backup is known.",
            without,
            FAULTS,
            width=5,
            runbooks=("ZopeBackupUnknown",),
        ),
        stat(
            "Used of the time allowed",
            "Age of what no backup covers yet, as part of the age allowed; above 100 % it is late.",
            f"max({used_of_the_age_allowed(m)})",
            backup_used(limits),
            width=5,
            runbooks=("ZopeBackupOverdue",),
        ),
        stat(
            "Since the last proof",
            m.help("zope_backup_last_verified_timestamp_seconds"),
            f"max({m.since('zope_backup_last_verified_timestamp_seconds')})",
            rising("s", limits.backup_unverified),
            width=5,
            runbooks=("ZopeBackupUnverified",),
        ),
        stat(
            "Faults of the databases",
            m.help("zope_backup_database_faults"),
            f"sum({m('zope_backup_database_faults')})",
            FAULTS,
            width=5,
            runbooks=("ZopeDatabaseReferencesBroken",),
        ),
        stat(
            "Room in the repository",
            m.help("zope_backup_repository_avail_bytes"),
            f"min({avail})",
            BYTES,
            width=4,
        ),
    )


def _backups(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    verified = m.since("zope_backup_last_verified_timestamp_seconds")
    deadline = m("zope_backup_max_age_seconds")
    size, files = m("zope_backup_size_bytes"), m("zope_backup_files")
    columns = (
        Column("Last backup", f"max by ({SITE}, database) ({backup_age(m)})", BACKUP_AGE),
        Column("Not covered for", f"max by ({SITE}, database) ({uncovered_seconds(m)})", _AGE),
        Column("Allowed", f"max by ({SITE}, database) ({deadline})", _AGE),
        Column(
            "Proven",
            f"max by ({SITE}, database) ({verified})",
            rising("s", limits.backup_unverified),
        ),
        Column(
            "Faults",
            f"max by ({SITE}, database) ({m('zope_backup_database_faults')})",
            FAULTS,
        ),
        Column("Size", f"sum by ({SITE}, database) ({size})", BYTES),
        Column("Files", f"sum by ({SITE}, database) ({files})", COUNT),
    )
    return (
        table(
            "Databases",
            "A row for each database with a repository; times are ages.",
            ("site", "database", "instance", "cluster"),
            columns,
            height=7,
        ),
        series(
            "What no backup covers yet",
            "Age of the oldest transactions that are in no backup, and the age allowed.",
            [
                Query(uncovered_seconds(m), "{{instance}} {{site}} {{database}}"),
                Query(deadline, "{{instance}} {{site}} {{database}} allowed"),
            ],
            _AGE,
        ),
        series(
            "Size of the repository",
            m.help("zope_backup_size_bytes"),
            [
                Query(
                    f"sum by ({SITE}, database, kind) ({size})",
                    "{{instance}} {{site}} {{database}} {{kind}}",
                )
            ],
            BYTES,
            stacked=True,
        ),
        series(
            "Files of the repository",
            m.help("zope_backup_files"),
            [
                Query(
                    f"sum by ({SITE}, database, kind) ({files})",
                    "{{instance}} {{site}} {{database}} {{kind}}",
                )
            ],
            COUNT,
        ),
    )


def _jobs(m: Metrics) -> tuple[Panel, ...]:
    running = f"max by ({SITE}, database, action) ({m('zope_action_running')})"
    named = "{{instance}} {{site}} {{database}} {{action}}"
    ran = m.increase("zope_action_runs_total")
    failed = m.increase("zope_action_failures_total")
    success = m.since("zope_action_last_success_timestamp_seconds")
    failure = m.since("zope_action_last_failure_timestamp_seconds")
    return (
        states("Running", m.help("zope_action_running"), Query(running, named), RUNNING),
        series_of(m, "zope_action_progress_ratio", "Progress", named, RATIO, width=12),
        events(
            "Runs and failures",
            "Jobs that ended within each step of the graph.",
            [Query(f"{ran} > 0", f"{named} runs"), Query(f"{failed} > 0", f"{named} failures")],
            width=12,
        ),
        series_of(m, "zope_action_last_duration_seconds", "Duration", named, _AGE, width=12),
        series(
            "Since the last success and failure",
            m.help("zope_action_last_failure_timestamp_seconds"),
            [Query(success, f"{named} success"), Query(failure, f"{named} failure")],
            _AGE,
            width=12,
            runbooks=("ZopeActionFailed",),
        ),
    )
