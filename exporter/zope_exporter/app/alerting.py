"""What Alertmanager is connected to: the webhook, and the dead-man timer that misses it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zope_exporter.alerting.watchdog.store import WatchdogStore
from zope_exporter.alerting.watchdog.timer import Watchdog
from zope_exporter.alerting.webhook.handled_alerts import HandledAlerts
from zope_exporter.alerting.webhook.handler import AlertHandler
from zope_exporter.alerting.webhook.tally import Tally
from zope_exporter.collectors.watchdog import WatchdogCollector
from zope_exporter.collectors.webhook import WebhookCollector
from zope_exporter.config.actions import ActionsConfig
from zope_exporter.config.watchdog import WatchdogConfig
from zope_exporter.maintenance.jobs.running import Runner

if TYPE_CHECKING:
    from starlette.routing import Route

    from zope_exporter.web.tokens import TokenFile


class Alerting:
    """Takes alerts, and watches that they come; nothing of it exists without `actions:`."""

    def __init__(
        self, config: ActionsConfig | None, runner: Runner, state: Path | None, problem: str | None
    ) -> None:
        """`problem` says why there is no state file."""
        self._config = config
        self._runner = runner
        self._ledger = HandledAlerts(state, problem)
        self._tally = Tally() if config else None
        settings = config.watchdog if config else None
        store = WatchdogStore(state, problem)
        self._watchdog = _watchdog(settings, store) if settings else None
        self.collectors = (WebhookCollector(self._tally), WatchdogCollector(self._watchdog))

    def start(self) -> None:
        if self._watchdog is not None:
            self._watchdog.start()

    def stop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()

    def routes(self, tokens: "TokenFile") -> "list[Route]":
        """Return the route that Alertmanager delivers to."""
        from zope_exporter.web.webhook import webhook_route  # not for who only lists the metrics

        if self._config is None or self._tally is None:
            return []
        watchdogs = {}
        if self._watchdog is not None and self._config.watchdog is not None:
            watchdogs = dict.fromkeys(self._config.watchdog.alerts, self._watchdog.heard)
        reception = AlertHandler(self._runner, self._ledger, self._config.on_alert, watchdogs)
        return [webhook_route(tokens, reception, self._tally)]


def _watchdog(config: WatchdogConfig, store: WatchdogStore) -> Watchdog:
    channels = {}
    if config.smtp is not None:
        from zope_exporter.alerting.watchdog.mail import send_mail

        channels["mail"] = partial(send_mail, config.smtp)
    if config.url is not None:
        from zope_exporter.alerting.watchdog.post import post

        channels["url"] = partial(post, config.url)
    return Watchdog(config.max_silence, config.repeat, channels, store)
