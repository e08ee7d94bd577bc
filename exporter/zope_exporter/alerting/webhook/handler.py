"""What becomes of the alerts that arrive: an action, a sign of life, or a reason for neither."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zope_exporter.maintenance.jobs.job import Job, JobRunner, TargetError, choose_target
from zope_exporter.system.state import StateError, open_state

from .own_alerts import OwnAlerts
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
    "foreign",
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
_FOREIGN = "it is about another exporter, by its label instance"
_UNSCRAPED = "Prometheus has not scraped this exporter yet, so it is unknown whose alert this is"
_STALE = "the alert is over, older than a week, or from the future: compare the clocks"
_DONE = "this was done for the alert before"
_TOGETHER = "another alert of this notification has started it"

MOST_KEPT = 10_000
_TABLE = """
    CREATE TABLE IF NOT EXISTS alert_action (
        number INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        action TEXT NOT NULL,
        UNIQUE (fingerprint, starts_at, action)
    )
"""
_CLAIM = "INSERT OR IGNORE INTO alert_action (fingerprint, starts_at, action) VALUES (?, ?, ?)"
_RELEASE = "DELETE FROM alert_action WHERE fingerprint = ? AND starts_at = ? AND action = ?"
# By number and not by time, so that no jump of the clock makes an action run twice.
_PRUNE = "DELETE FROM alert_action WHERE number <= (SELECT max(number) FROM alert_action) - ?"


@dataclass(frozen=True)
class Verdict:
    """What became of one alert, and why; `job` if one was begun for it or for its like."""

    alert: Alert
    outcome: Outcome
    reason: str = ""
    job: Job | None = None


@dataclass(frozen=True)
class ActionRequest:
    """An action that an alert asks for, on one database."""

    action: str
    site: str
    database: str


class HandledAlerts:
    """The claims of actions, in the state file. All methods raise StateError without one."""

    def __init__(self, file: Path | None, problem: str | None) -> None:
        """`problem` says why there is no file."""
        self._file = file
        self._problem = problem

    def claim(self, alerts: Iterable[Alert], action: str) -> list[bool]:
        """Note that the action is about to be done for these; tell of each whether that is new.

        Whoever claims and then dies leaves it undone: it runs at most once.
        """
        with open_state(self._path()) as state:
            state.execute(_TABLE)
            new = [bool(state.execute(_CLAIM, _key(alert, action)).rowcount) for alert in alerts]
            state.execute(_PRUNE, (MOST_KEPT,))
        return new

    def release(self, alerts: Iterable[Alert], action: str) -> None:
        """Take claims back: the action could not be begun."""
        with open_state(self._path()) as state:
            state.execute(_TABLE)
            state.executemany(_RELEASE, [_key(alert, action) for alert in alerts])

    def _path(self) -> Path:
        if self._file is None:
            raise StateError(self._problem or "no state is kept")
        return self._file


def _key(alert: Alert, action: str) -> tuple[str, int, str]:
    return alert.fingerprint, alert.starts_at, action


class AlertHandler:
    """Takes the notifications of Alertmanager, however often they are delivered.

    `on_alert` has the action for each alert name; `watchdogs` are the names that are signs of
    life, of which `heard` is told. Of alerts that name an exporter only its `own` are acted upon.
    """

    def __init__(
        self,
        runner: JobRunner,
        handled: HandledAlerts,
        on_alert: Mapping[str, str],
        watchdogs: Mapping[str, Callable[[], object]],
        own: OwnAlerts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner = runner
        self._handled = handled
        self._on_alert = on_alert
        self._watchdogs = watchdogs
        self._own = own
        self._clock = clock
        self._turn = threading.Lock()

    def receive(self, notification: Notification) -> list[Verdict]:
        """Return what becomes of each alert. Nothing here waits for an action to end."""
        verdicts: list[Verdict] = []
        requested: dict[ActionRequest, list[Alert]] = {}
        with self._turn:  # two Alertmanagers deliver the same at the same time
            for alert in notification.alerts:
                found = self._classify(alert)
                if isinstance(found, ActionRequest):
                    requested.setdefault(found, []).append(alert)
                else:
                    verdicts.append(found)
            for request, alerts in requested.items():
                verdicts += self._act(request, alerts)
        return verdicts

    def _classify(self, alert: Alert) -> Verdict | ActionRequest:
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
        return self._request(alert, action)

    def _request(self, alert: Alert, action: str) -> Verdict | ActionRequest:
        instance = alert.labels.get("instance")
        ours = instance is None or instance in self._own
        if not ours and not self._own.unknown:
            return Verdict(alert, "foreign", _FOREIGN)
        site, database = alert.labels.get("site"), alert.labels.get("database")
        try:
            target = choose_target(self._runner.targets(action), site, database)
        except TargetError as error:
            return Verdict(alert, "unknown_target", str(error))
        except StateError as error:
            return Verdict(alert, "unavailable", str(error))
        return ActionRequest(action, *target) if ours else Verdict(alert, "unavailable", _UNSCRAPED)

    def _stale(self, alert: Alert) -> bool:
        # A notification says what fires now, so an alert may have begun days ago; but of one that
        # has not been heard of for so long nobody knows what has been done about it meanwhile.
        now = self._clock()
        age = now - alert.starts_at / 1e9
        over = alert.ends_at is not None and now - alert.ends_at / 1e9 > CLOCKS_APART
        return over or age > OLDEST or age < -CLOCKS_APART

    def _act(self, request: ActionRequest, alerts: list[Alert]) -> list[Verdict]:
        try:
            claims = list(zip(alerts, self._handled.claim(alerts, request.action), strict=True))
            old = [Verdict(alert, "duplicate", _DONE) for alert, new in claims if not new]
            mine = [alert for alert, new in claims if new]
            return [*old, *(self._begin(request, mine) if mine else ())]
        except StateError as error:
            return [Verdict(alert, "unavailable", str(error)) for alert in alerts]

    def _begin(self, request: ActionRequest, alerts: list[Alert]) -> list[Verdict]:
        first, *others = alerts
        origin = f"alert {first.name}"
        try:
            submission = self._runner.submit(request.action, request.site, request.database, origin)
        except BaseException:
            self._handled.release(alerts, request.action)
            raise
        if submission.job is None:
            self._handled.release(alerts, request.action)
            outcome = _REFUSALS.get(submission.refusal, "refused")
            return [Verdict(alert, outcome, submission.reason) for alert in alerts]
        return [
            Verdict(first, "accepted", "", submission.job),
            *(Verdict(alert, "duplicate", _TOGETHER, submission.job) for alert in others),
        ]
