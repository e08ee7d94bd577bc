"""What becomes of the alerts that arrive: an action, a sign of life, or a reason for neither."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from zope_exporter.maintenance.jobs.job import Job, JobRunner, TargetError, choose_target
from zope_exporter.system.state import StateError

from .handled_alerts import HandledAlerts
from .payload import Alert, Notification

Outcome = Literal[
    "accepted",
    "duplicate",
    "busy",
    "cooldown",
    "refused",
    "resolved",
    "stale",
    "unconfigured",
    "unknown_target",
    "watchdog",
    "unavailable",
]

OLDEST = 7 * 86400.0  # seconds an alert may have been firing when it is first acted on
CLOCKS_APART = 600.0  # seconds Prometheus' clock may differ from ours
_REFUSALS: dict[str, Outcome] = {
    "busy": "busy",
    "duplicate": "busy",  # the same action waits or runs already
    "cooldown": "cooldown",
    "stopping": "unavailable",  # whoever comes after us can take it
}
_RESOLVED = "what is resolved neither begins nor ends anything"
_WATCHDOG = "the sign of life has arrived"
_UNCONFIGURED = "on_alert has no action for this alert"
_STALE = "the alert is over, older than a week, or from the future: compare the clocks"
_DONE = "this was done for the alert before"
_TOGETHER = "another alert of this notification has begun it"


@dataclass(frozen=True)
class Verdict:
    """What became of one alert, and why; `job` if one was begun for it or for its like."""

    alert: Alert
    outcome: Outcome
    reason: str = ""
    job: Job | None = None


@dataclass(frozen=True)
class ActionRequest:
    """An action wanted for one database."""

    action: str
    site: str
    database: str


class AlertHandler:
    """Takes the notifications of Alertmanager, however often they are delivered.

    `on_alert` has the action for each alert name; `watchdogs` are the names that are signs of
    life, of which `heard` is told.
    """

    def __init__(
        self,
        runner: JobRunner,
        ledger: HandledAlerts,
        on_alert: Mapping[str, str],
        watchdogs: Mapping[str, Callable[[], object]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner = runner
        self._ledger = ledger
        self._on_alert = on_alert
        self._watchdogs = watchdogs
        self._clock = clock
        self._turn = threading.Lock()

    def receive(self, notification: Notification) -> list[Verdict]:
        """Return what becomes of each alert. Nothing here waits for an action to end."""
        verdicts: list[Verdict] = []
        wishes: dict[ActionRequest, list[Alert]] = {}
        with self._turn:  # two Alertmanagers deliver the same at the same time
            for alert in notification.alerts:
                found = self._look(alert)
                if isinstance(found, ActionRequest):
                    wishes.setdefault(found, []).append(alert)
                else:
                    verdicts.append(found)
            for wish, alerts in wishes.items():
                verdicts += self._fulfil(wish, alerts)
        return verdicts

    def _look(self, alert: Alert) -> Verdict | ActionRequest:
        if not alert.firing:
            return Verdict(alert, "resolved", _RESOLVED)
        if alert.name in self._watchdogs:
            self._watchdogs[alert.name]()
            return Verdict(alert, "watchdog", _WATCHDOG)
        action = self._on_alert.get(alert.name)
        if action is None:
            return Verdict(alert, "unconfigured", _UNCONFIGURED)
        if self._stale(alert):
            return Verdict(alert, "stale", _STALE)
        site, database = alert.labels.get("site"), alert.labels.get("database")
        try:
            return ActionRequest(
                action, *choose_target(self._runner.targets(action), site, database)
            )
        except TargetError as error:
            return Verdict(alert, "unknown_target", str(error))
        except StateError as error:
            return Verdict(alert, "unavailable", str(error))

    def _stale(self, alert: Alert) -> bool:
        # A notification says what fires now, so an alert may have begun days ago; but of one that
        # has not been heard of for so long nobody knows what has been done about it meanwhile.
        now = self._clock()
        age = now - alert.starts_at / 1e9
        over = alert.ends_at is not None and now - alert.ends_at / 1e9 > CLOCKS_APART
        return over or age > OLDEST or age < -CLOCKS_APART

    def _fulfil(self, wish: ActionRequest, alerts: list[Alert]) -> list[Verdict]:
        try:
            claims = list(zip(alerts, self._ledger.claim(alerts, wish.action), strict=True))
            old = [Verdict(alert, "duplicate", _DONE) for alert, new in claims if not new]
            mine = [alert for alert, new in claims if new]
            return [*old, *(self._begin(wish, mine) if mine else ())]
        except StateError as error:
            return [Verdict(alert, "unavailable", str(error)) for alert in alerts]

    def _begin(self, wish: ActionRequest, alerts: list[Alert]) -> list[Verdict]:
        first, *others = alerts
        origin = f"alert {first.name}"
        try:
            submission = self._runner.submit(wish.action, wish.site, wish.database, origin)
        except BaseException:
            self._ledger.release(alerts, wish.action)
            raise
        if submission.job is None:
            self._ledger.release(alerts, wish.action)
            outcome = _REFUSALS.get(submission.refusal, "refused")
            return [Verdict(alert, outcome, submission.reason) for alert in alerts]
        return [
            Verdict(first, "accepted", "", submission.job),
            *(Verdict(alert, "duplicate", _TOGETHER, submission.job) for alert in others),
        ]
