"""The limits `check` and the status page judge by: the thresholds of the alerts, as numbers."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from zope_exporter.alerting.rules.thresholds import Thresholds, fill, read_thresholds
from zope_exporter.system.resources import shipped

Duration = Annotated[float, "in seconds; the file has it as 90s, 5m or 8d"]


@dataclass(frozen=True)
class Limits:
    """Each is the threshold of its name in alerts/thresholds.yml, which says what it is.

    One look at a host cannot tell how long something has been so, nor how it grows: thresholds of
    rates, predictions and waiting times have no place here.
    """

    ping_slow: float
    workers_busy: float
    memory: float
    disk_almost_full: float
    disk_almost_full_critical: float
    pack_overdue: Duration
    pack_worthwhile: float
    pack_first_bytes: float
    garbage: float
    garbage_bytes: float
    backup_unverified: Duration
    backup_room: float
    clock_skew: float
    commit_lock_held: Duration
    connections_critical: float
    cache_full: float
    certificate: Duration
    certificate_critical: Duration


def read_limits(own: Path | None = None) -> Limits:
    """Return the shipped limits, those in the file `own` in place of them.

    Raises ThresholdError for a file that `zope-exporter rules --thresholds` would refuse.
    """
    thresholds = read_thresholds(shipped("alerts") / "thresholds.yml", own)
    read = {field.name: _seconds if field.type is Duration else _number for field in fields(Limits)}
    return Limits(**{name: value(name, thresholds) for name, value in read.items()})


def _seconds(name: str, thresholds: Thresholds) -> float:
    return float(fill(f"<{name}:seconds>", thresholds))


def _number(name: str, thresholds: Thresholds) -> float:
    return float(thresholds[name])
