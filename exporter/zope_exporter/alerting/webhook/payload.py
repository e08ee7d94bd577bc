"""What Alertmanager sends to a webhook: version 4 of its payload, as 0.25 to 0.33 write it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

VERSION = "4"
LONGEST_LABEL = 16384  # characters
LONGEST_FINGERPRINT = 128
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class PayloadError(Exception):
    """A payload is not what Alertmanager sends; the text holds nothing of it but key names."""


@dataclass(frozen=True)
class Alert:
    """An alert: times in nanoseconds since the epoch, `ends_at` None while nobody knows it.

    The fingerprint is Alertmanager's name for the set of labels, `starts_at` tells one firing
    from the next.
    """

    firing: bool
    labels: Mapping[str, str]
    fingerprint: str
    starts_at: int
    ends_at: int | None = None

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


@dataclass(frozen=True)
class Notification:
    """The alerts of one delivery, and how many more Alertmanager has left out."""

    alerts: tuple[Alert, ...]
    truncated: int = 0


def parse_notification(data: Mapping[str, Any]) -> Notification:
    """Read a payload; what newer versions add to it is passed over.

    Raises PayloadError.
    """
    if data.get("version") != VERSION:
        raise PayloadError(f"version must be {VERSION!r}")
    _status(data, "status")
    alerts = data.get("alerts")
    if not isinstance(alerts, list):
        raise PayloadError("alerts must be a list")
    truncated = data.get("truncatedAlerts", 0)
    if not isinstance(truncated, int) or truncated < 0:
        raise PayloadError("truncatedAlerts must be a number")
    return Notification(tuple(_alert(n, alert) for n, alert in enumerate(alerts)), truncated)


def _alert(number: int, data: object) -> Alert:
    where = f"alerts[{number}]"
    if not isinstance(data, dict):
        raise PayloadError(f"{where} must be an object")
    ends_at = _time(data, "endsAt", where) if "endsAt" in data else None
    return Alert(
        firing=_status(data, f"{where}.status") == "firing",
        labels=_labels(data.get("labels"), where),
        fingerprint=_fingerprint(data.get("fingerprint"), where),
        starts_at=_time(data, "startsAt", where),
        # Go's zero time, the first of January of year 1, stands for none.
        ends_at=None if ends_at is None or ends_at < 0 else ends_at,
    )


def _status(data: Mapping[str, Any], where: str) -> str:
    status = data.get("status")
    if status not in ("firing", "resolved"):
        raise PayloadError(f"{where} must be firing or resolved")
    return str(status)


def _labels(labels: object, where: str) -> dict[str, str]:
    if not isinstance(labels, dict):
        raise PayloadError(f"{where}.labels must be an object")
    for value in labels.values():
        if not isinstance(value, str) or len(value) > LONGEST_LABEL:
            reason = f"text of at most {LONGEST_LABEL} characters"
            raise PayloadError(f"{where}.labels must hold {reason}")
    return labels


def _fingerprint(fingerprint: object, where: str) -> str:
    if not isinstance(fingerprint, str) or not 0 < len(fingerprint) <= LONGEST_FINGERPRINT:
        length = f"1 to {LONGEST_FINGERPRINT} characters"
        raise PayloadError(f"{where}.fingerprint must be text of {length}")
    return fingerprint


def _time(data: Mapping[str, Any], key: str, where: str) -> int:
    text = data.get(key)
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        return _nanoseconds(match) if match else _no_time()
    except ValueError:
        raise PayloadError(f"{where}.{key} must be a time as RFC 3339 has it") from None


def _no_time() -> int:
    raise ValueError


def _nanoseconds(match: re.Match[str]) -> int:
    day, time, fraction, sign, hours, minutes = match.groups()
    local = datetime.fromisoformat(f"{day}T{time}+00:00")
    since = local - _EPOCH
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        since += -offset if sign == "+" else offset
    seconds = since // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
