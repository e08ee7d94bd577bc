"""The exporter put together from its configuration, with what Alertmanager is connected to."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.routing import Route

from zope_exporter.alerting.watchdog.timer import Watchdog, WatchdogStore
from zope_exporter.alerting.webhook.handler import AlertHandler, HandledAlerts
from zope_exporter.alerting.webhook.own_alerts import OwnAlerts
from zope_exporter.collectors import build
from zope_exporter.collectors.agent import AgentCollector
from zope_exporter.collectors.coverage import Coverage
from zope_exporter.collectors.coverage.evidence import Logs
from zope_exporter.collectors.exporter import ExporterCollector
from zope_exporter.collectors.growth import GrowthCollector
from zope_exporter.collectors.watchdog import WatchdogCollector
from zope_exporter.collectors.webhook import WebhookCollector
from zope_exporter.config.actions import ACTIONS, PACK, ActionsConfig, WatchdogConfig
from zope_exporter.config.log_settings import KnownLogs, log_patterns, syslog_settings
from zope_exporter.config.schema import Config
from zope_exporter.config.search import watch
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.syslog.receiver import SyslogReceiver
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.job import Task
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.jobs.runner import Runner
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.plan import Plan
from zope_exporter.metrics.registry import Registry
from zope_exporter.system.state import state_file
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.status.graphs import DRAWN
from zope_exporter.web.status.history import History
from zope_exporter.web.status.last_scrape import LastScrape
from zope_exporter.web.status.view import Offers
from zope_exporter.web.tokens import TokenFile
from zope_exporter.web.webhook import webhook_route


class Exporter:
    """Watches this host and can be scraped; `stop` ends all that goes on in the background."""

    def __init__(self, config: Config, scheme: str = "http") -> None:
        """`scheme` is that by which it will be reached."""
        state, problem = state_file(config.state_dir)
        store = LogStore(state, problem)
        patterns = log_patterns(config)
        counters = CounterMaker(patterns)
        self.limit = ScrapeLimit()
        self._watcher = watch(config)
        self._logs = LogWatch(KnownLogs(config, self._watcher.inventory), counters.of_file, store)
        self._receivers = [
            SyslogReceiver(site, settings, counters.of_syslog(site), store)
            for site, settings in syslog_settings(config)
        ]
        catalog = ActionCatalog(config, self._watcher.inventory, JobStore(state, problem))
        self._catalog = catalog
        self.runner = Runner(catalog, catalog.store)
        by_syslog = frozenset(receiver.site for receiver in self._receivers)
        coverage = Coverage(
            self._watcher.inventory, lambda: Logs(self._logs.sources(), by_syslog, patterns)
        )
        collectors = build(
            self._watcher,
            self._logs,
            catalog,
            self._receivers,
            state,
            coverage,
            config.scan_memory,
        )
        self.alerting = Alerting(config.actions, self.runner, state, problem)
        own = ExporterCollector(scheme), *self.alerting.collectors, self.limit
        self.registry = Registry([*collectors, *own])
        self.last_scrape = LastScrape(
            self.registry,
            self._watcher.inventory,
            History(DRAWN),
            coverage=coverage,
            written_since=next(c.since for c in collectors if isinstance(c, GrowthCollector)),
            views_of=next(c.views for c in collectors if isinstance(c, AgentCollector)),
        )
        self._actions_exist = config.actions is not None
        for collector in self.registry.collectors:
            start = getattr(collector, "start", None)
            if start is not None:
                start()
        self._logs.start()
        self.last_scrape.start()
        self.alerting.start()

    def inventory(self) -> Inventory:
        """Return what was found on this host; waits a moment for the first search."""
        return self._watcher.inventory()

    def logs(self) -> Sequence[LogSource]:
        """Return the logs that are followed."""
        return self._logs.sources()

    def is_ready(self) -> bool:
        """Tell whether a scrape has something to read: a search of this host has ended well."""
        return self._watcher.last_success is not None

    def offered(self) -> Offers:
        """Return all that may be asked for over HTTP."""
        if not self._actions_exist:
            return Offers()
        allowed = {(action, *to) for action in ACTIONS for to in self._catalog.possible(action)}
        with_event_log = {log.site for log in self.logs() if log.kind == "event"}
        return Offers(allowed, with_event_log)

    def plan_pack(self, site: str, database: str) -> Plan:
        """Return what is to be known before a pack, by a look at the disk. Raises ActionError."""
        return self._catalog.plan_pack(Task(site, database, PACK), Silent())

    def stop(self) -> None:
        """End everything, and keep the state of it for the next run; jobs are waited for."""
        self.alerting.stop()
        self.last_scrape.stop()
        self.runner.stop()
        for collector in self.registry.collectors:
            stop = getattr(collector, "stop", None)
            if stop is not None:
                stop()
        for receiver in self._receivers:
            receiver.stop()
        self._logs.stop()
        self._watcher.stop()


class Alerting:
    """Takes alerts, and watches that they come; nothing of it exists without `actions:`."""

    def __init__(
        self, config: ActionsConfig | None, runner: Runner, state: Path | None, problem: str | None
    ) -> None:
        """`problem` says why there is no state file."""
        self._config = config
        self._runner = runner
        self._handled_alerts = HandledAlerts(state, problem)
        self._webhook = WebhookCollector(configured=config is not None)
        self._own = OwnAlerts(config.instances if config else ())
        self.scraped_as = self._own.scraped_as
        settings = config.watchdog if config else None
        store = WatchdogStore(state, problem)
        self._watchdog = _watchdog(settings, store) if settings else None
        self.collectors = (self._webhook, WatchdogCollector(self._watchdog))

    def start(self) -> None:
        if self._watchdog is not None:
            self._watchdog.start()

    def stop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()

    def routes(self, tokens: TokenFile) -> list[Route]:
        """Return the route that Alertmanager delivers to."""
        if self._config is None:
            return []
        watchdogs = {}
        if self._watchdog is not None and self._config.watchdog is not None:
            watchdogs = dict.fromkeys(self._config.watchdog.alerts, self._watchdog.heard)
        on_alert, handled = self._config.on_alert, self._handled_alerts
        handler = AlertHandler(self._runner, handled, on_alert, watchdogs, self._own)
        return [webhook_route(tokens, handler, self._webhook)]


def _watchdog(config: WatchdogConfig, store: WatchdogStore) -> Watchdog:
    from zope_exporter.alerting.watchdog.channels import post, send_mail  # not for who has none

    channels = {}
    if config.smtp is not None:
        channels["mail"] = partial(send_mail, config.smtp)
    if config.url is not None:
        channels["url"] = partial(post, config.url)
    return Watchdog(config.max_silence, config.repeat, channels, store)
