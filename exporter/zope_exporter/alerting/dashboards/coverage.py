"""What several dashboards ask of backups, in one place so that they agree."""

from .field_config import rising
from .metrics import Metrics
from .panel import Look
from .thresholds import Limits


def uncovered_seconds(m: Metrics) -> str:
    """Return for how long something has been in no backup; 0 while everything is covered."""
    last = m("zope_filestorage_last_transaction_timestamp_seconds")
    covered = m("zope_backup_covered_transaction_timestamp_seconds")
    return f"(time() - {covered}) * on (site, database) ({last} > bool {covered})"


def used_of_the_age_allowed(m: Metrics) -> str:
    """Return that as a part of the age allowed; above 1 a backup is overdue."""
    return f"{uncovered_seconds(m)} / on (site, database) {m('zope_backup_max_age_seconds')}"


def backup_age(limits: Limits) -> Look:
    """Return how that is shown."""
    return rising("percentunit", limits.backup_age_ratio, 1, minimum=0, decimals=0)
