"""alerts/thresholds.yml: as text in the rules, as numbers for dashboards, check and status page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from zope_exporter.system.resources import shipped
from zope_exporter.system.user_error import UserError

Thresholds = Mapping[str, str]

# How many times faster than allowed the budget of errors is used when an alert fires, by window:
# those of the SRE workbook, as in alerts/source/slo.yml. They belong together, so no thresholds.
BURN_RATES = {"1h": 14.4, "6h": 6.0, "1d": 3.0, "3d": 1.0}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(?:\d+[smhdwy])+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_KINDS = ((_DURATION, "duration such as 90s, 5m or 8d"), (_NUMBER, "number such as 0.9 or 1e9"))
_PLACE = re.compile(r"<([a-z_]+)(?::(seconds))?>")


class ThresholdError(UserError, ValueError):
    """Thresholds cannot be read or do not fit the rules; the message names file, key and remedy."""


@dataclass(frozen=True)
class Limits:
    """Each is the threshold of its name, durations in seconds; the file says what they are."""

    # `check` and the status page judge by these. One look at a host cannot tell how long something
    # has been so, nor how it grows: thresholds of rates and predictions are for dashboards only.
    ping_slow: float
    workers_busy: float
    memory: float
    disk_almost_full: float
    disk_almost_full_critical: float
    inodes: float
    inodes_critical: float
    pack_overdue: float
    pack_worthwhile: float
    pack_first_bytes: float
    garbage: float
    garbage_bytes: float
    backup_unverified: float
    backup_room: float
    backup_missed: float
    clock_skew: float
    failing: float
    failing_critical: float
    failing_least: float
    failing_blind: float
    all_failing: float
    all_failing_least_requests: float
    commit_lock_held: float
    connections_critical: float
    cache_full: float
    certificate: float
    certificate_critical: float
    # Only drawn, where values on the dashboards turn yellow or red.
    slo: float
    slo_budget_left: float
    request_stuck: float
    open_files: float
    disk_predicted: float
    disk_predicted_critical: float
    pack_room_predicted: float
    backup_age: float
    connection_held: float
    loads_per_request: float
    log_bytes: float
    discovery_stale: float
    scrape_timeout: float

    @property
    def error_budget(self) -> float:
        """Part of the requests that may fail."""
        return round(1 - self.slo, 6)

    @property
    def page_error_ratio(self) -> float:
        """Part of the requests that has to fail for an hour for a page."""
        return round(BURN_RATES["1h"] * self.error_budget, 6)


def read_limits(own: Path | None = None) -> Limits:
    """Return the shipped thresholds as numbers, those in the file `own` in place of them.

    Raises ThresholdError, see read_thresholds.
    """
    return limits_of(read_thresholds(shipped("alerts") / "thresholds.yml", own))


def limits_of(thresholds: Thresholds) -> Limits:
    """Return thresholds as numbers."""
    return Limits(**{field.name: _number(thresholds[field.name]) for field in fields(Limits)})


def read_thresholds(ours: Path, own: Path | None = None) -> Thresholds:
    """Return the shipped thresholds, those in the file `own` in place of them.

    Raises ThresholdError for a file that cannot be used, for keys that no rule knows, and for what
    is not of the kind of the shipped value.
    """
    thresholds = _load(ours)
    if own is not None:
        changes = _load(own)
        unknown = sorted(changes.keys() - thresholds.keys())
        if unknown:
            raise ThresholdError(f"{own}: {', '.join(unknown)}: no such threshold in {ours}")
        if wrong := list(_of_other_kind(changes, thresholds)):
            raise ThresholdError(f"{own}: {'; '.join(wrong)}")
        thresholds |= changes
    thresholds["job_quoted"] = thresholds["job"].replace('"', '\\"').replace("%", "%%")
    thresholds["job_text"] = thresholds["job"].replace('"', "")
    return thresholds


def _of_other_kind(changes: Thresholds, thresholds: Thresholds) -> Iterator[str]:
    for name, value in changes.items():
        for kind, wording in _KINDS:
            if kind.fullmatch(thresholds[name]) and not kind.fullmatch(value):
                yield f"{name}: {value!r} is no {wording}"


def fill(text: str, thresholds: Thresholds) -> str:
    """Return `text` with each `<name>` replaced by that threshold, `<name:seconds>` in seconds.

    Raises ThresholdError for a name that is no threshold and a duration that is none.
    """

    def value(place: re.Match[str]) -> str:
        name, unit = place.groups()
        if name not in thresholds:
            raise ThresholdError(f"<{name}> is no threshold")
        if unit and not _DURATION.fullmatch(thresholds[name]):
            raise ThresholdError(f"{name}: {thresholds[name]!r} is no {_KINDS[0][1]}")
        return str(_seconds(thresholds[name])) if unit else thresholds[name]

    return _PLACE.sub(value, text)


def _number(text: str) -> float:
    return float(_seconds(text) if _DURATION.fullmatch(text) else text)


def _seconds(duration: str) -> int:
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdwy])", duration))


def _load(path: Path) -> dict[str, str]:
    try:
        # As text: 1e9 is to be written into the rules as it is here.
        loaded = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 - makes text only
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ThresholdError(f"{path}: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(v, str) for v in loaded.values()):
        raise ThresholdError(f"{path}: must be lines of `name: value`")
    return loaded
