"""The thresholds of the alerts, for the dashboards to draw the same lines."""

from dataclasses import dataclass
from pathlib import Path

from zope_exporter.rules.thresholds import Thresholds, fill, read_thresholds

THRESHOLDS = Path(__file__).parents[2] / "alerts/thresholds.yml"


@dataclass(frozen=True)
class Limits:
    """Where values turn yellow or red; times in seconds, ratios from 0 to 1."""

    objective: float
    slow_ping_seconds: float
    stuck_request_seconds: float
    busy_ratio: float
    memory_ratio: float
    fds_ratio: float
    disk_warning: float
    disk_critical: float
    pack_age_seconds: float
    verified_age_seconds: float
    held_connection_seconds: float
    commit_lock_seconds: float
    loads_per_request: float
    log_size_bytes: float
    certificate_seconds: float
    certificate_critical_seconds: float

    @property
    def error_budget(self) -> float:
        """Part of the requests that may fail."""
        return round(1 - self.objective, 6)

    @property
    def page_error_ratio(self) -> float:
        """Part of the requests that has to fail for an hour for a page."""
        return round(14.4 * self.error_budget, 6)


def load_limits(path: Path = THRESHOLDS) -> Limits:
    """Return the thresholds of a file; raises ThresholdError if it cannot be used."""
    thresholds = read_thresholds(path)
    return Limits(
        objective=float(thresholds["slo"]),
        slow_ping_seconds=float(thresholds["ping_slow"]),
        stuck_request_seconds=_seconds(thresholds, "request_stuck"),
        busy_ratio=float(thresholds["workers_busy"]),
        memory_ratio=float(thresholds["memory"]),
        fds_ratio=float(thresholds["open_files"]),
        disk_warning=float(thresholds["disk_almost_full"]),
        disk_critical=float(thresholds["disk_almost_full_critical"]),
        pack_age_seconds=_seconds(thresholds, "pack_overdue"),
        verified_age_seconds=_seconds(thresholds, "backup_unverified"),
        held_connection_seconds=_seconds(thresholds, "connection_held"),
        commit_lock_seconds=_seconds(thresholds, "commit_lock_held"),
        loads_per_request=float(thresholds["loads_per_request"]),
        log_size_bytes=float(thresholds["log_bytes"]),
        certificate_seconds=_seconds(thresholds, "certificate"),
        certificate_critical_seconds=_seconds(thresholds, "certificate_critical"),
    )


def _seconds(thresholds: Thresholds, name: str) -> float:
    return float(fill(f"<{name}:seconds>", thresholds))
