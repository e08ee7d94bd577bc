"""The thresholds of the alerts, for the dashboards to draw the same lines."""

from dataclasses import dataclass

from zope_exporter.alerting.rules.thresholds import Thresholds, fill

# How many times faster than allowed the budget of errors is used when an alert fires, by window:
# those of the SRE workbook, as in alerts/source/slo.yml. They belong together, so no thresholds.
BURN_RATES = {"1h": 14.4, "6h": 6.0, "1d": 3.0, "3d": 1.0}


@dataclass(frozen=True)
class Limits:
    """Where values turn yellow or red; times in seconds, ratios from 0 to 1."""

    objective: float
    budget_left: float
    slow_ping_seconds: float
    stuck_request_seconds: float
    busy_ratio: float
    memory_ratio: float
    fds_ratio: float
    disk_warning: float
    disk_critical: float
    disk_predicted_seconds: float
    disk_predicted_critical_seconds: float
    pack_age_seconds: float
    backup_age_ratio: float
    verified_age_seconds: float
    held_connection_seconds: float
    commit_lock_seconds: float
    loads_per_request: float
    log_size_bytes: float
    certificate_seconds: float
    certificate_critical_seconds: float
    search_age_seconds: float
    scrape_timeout_seconds: float

    @property
    def error_budget(self) -> float:
        """Part of the requests that may fail."""
        return round(1 - self.objective, 6)

    @property
    def page_error_ratio(self) -> float:
        """Part of the requests that has to fail for an hour for a page."""
        return round(BURN_RATES["1h"] * self.error_budget, 6)


def limits_of(thresholds: Thresholds) -> Limits:
    """Return what the dashboards draw of the thresholds."""

    def seconds(name: str) -> float:
        return float(fill(f"<{name}:seconds>", thresholds))

    return Limits(
        objective=float(thresholds["slo"]),
        budget_left=float(thresholds["slo_budget_left"]),
        slow_ping_seconds=float(thresholds["ping_slow"]),
        stuck_request_seconds=seconds("request_stuck"),
        busy_ratio=float(thresholds["workers_busy"]),
        memory_ratio=float(thresholds["memory"]),
        fds_ratio=float(thresholds["open_files"]),
        disk_warning=float(thresholds["disk_almost_full"]),
        disk_critical=float(thresholds["disk_almost_full_critical"]),
        disk_predicted_seconds=seconds("disk_predicted"),
        disk_predicted_critical_seconds=seconds("disk_predicted_critical"),
        pack_age_seconds=seconds("pack_overdue"),
        backup_age_ratio=float(thresholds["backup_age"]),
        verified_age_seconds=seconds("backup_unverified"),
        held_connection_seconds=seconds("connection_held"),
        commit_lock_seconds=seconds("commit_lock_held"),
        loads_per_request=float(thresholds["loads_per_request"]),
        log_size_bytes=float(thresholds["log_bytes"]),
        certificate_seconds=seconds("certificate"),
        certificate_critical_seconds=seconds("certificate_critical"),
        search_age_seconds=seconds("discovery_stale"),
        scrape_timeout_seconds=seconds("scrape_timeout"),
    )
