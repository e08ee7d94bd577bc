"""How many notifications and alerts Alertmanager has delivered, by what became of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

from zope_exporter.alerting.webhook.handler import Outcome, Verdict
from zope_exporter.metrics.metric import Metric, Sample

NOTIFICATIONS = Metric(
    "zope_webhook_notifications_total",
    "counter",
    "Notifications of Alertmanager: accepted (something was started), ignored (nothing had "
    "to be done), invalid (not in the format of Alertmanager) or unavailable (answered with"
    " 503, so that it is sent again).",
    ("outcome",),
)
ALERTS = Metric(
    "zope_webhook_alerts_total",
    "counter",
    "Alerts in the notifications, by outcome.",
    ("outcome",),
)
_NOTIFICATIONS = ("accepted", "ignored", "invalid", "unavailable")


class WebhookCollector:
    """Counts what arrives, from the event loop only; silent where no webhook is configured."""

    name = "webhook"
    metrics = (NOTIFICATIONS, ALERTS)

    def __init__(self, *, configured: bool) -> None:
        self._notifications = Counter(dict.fromkeys(_NOTIFICATIONS if configured else (), 0))
        self._alerts = Counter(dict.fromkeys(get_args(Outcome) if configured else (), 0))

    def count_invalid(self) -> None:
        """Count a notification that could not be read."""
        self._notifications["invalid"] += 1

    def count(self, verdicts: Iterable[Verdict]) -> str:
        """Count one notification and its alerts; return its outcome."""
        outcomes = [verdict.outcome for verdict in verdicts]
        self._alerts.update(outcomes)
        outcome = "ignored"
        if "accepted" in outcomes:
            outcome = "accepted"
        elif "unavailable" in outcomes:
            outcome = "unavailable"
        self._notifications[outcome] += 1
        return outcome

    def collect(self) -> Iterator[Sample]:
        for outcome, count in self._notifications.items():
            yield NOTIFICATIONS(count, outcome=outcome)
        for outcome, count in self._alerts.items():
            yield ALERTS(count, outcome=outcome)
