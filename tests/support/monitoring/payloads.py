"""Payloads as Alertmanager writes them."""

from datetime import datetime, timedelta, timezone
from typing import Any

ZERO = "0001-01-01T00:00:00Z"


def ago(**span: float) -> str:
    """Return a time before now as Go writes it, with nanoseconds."""
    return f"{datetime.now(timezone.utc) - timedelta(**span):%Y-%m-%dT%H:%M:%S.%f}789Z"


STARTED = ago(minutes=5)


def alert(name: str = "ZopePackOverdue", **changes: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "warning", "site": "intranet", "database": "main"}
    return {
        "status": "firing",
        "labels": labels | changes.pop("labels", {}),
        "annotations": {"summary": "Überfällig"},
        "startsAt": STARTED,
        "endsAt": ZERO,
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=1",
        "fingerprint": "6f3c2a7d9f3a1b22",
        **changes,
    }


def payload(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "receiver": "zope",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "ZopePackOverdue"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "version": "4",
        "groupKey": '{}:{alertname="ZopePackOverdue"}',
        "truncatedAlerts": 0,
        **changes,
    }
