"""The exporter put together from its configuration."""

from collections.abc import Callable

from zope_exporter.collectors import build, build_passing
from zope_exporter.collectors.datafs import KeptDataFsCollector
from zope_exporter.config.actions import ACTIONS
from zope_exporter.config.declaring import declared_site, extra_logs, syslog_settings
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.memory import open_memory
from zope_exporter.discovery.survey import Survey
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.syslog.receiver import SyslogReceiver
from zope_exporter.logs.tail.real_paths import RealPaths
from zope_exporter.logs.tail.sources import LogSource, log_sources
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.runner import Runner
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.system.state import state_file
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.status.graphs import DRAWN
from zope_exporter.web.status.history import History
from zope_exporter.web.status.last_scrape import LastScrape

from .alerting import Alerting


class Sidecar:
    """Watches this host and can be scraped; `stop` ends all that goes on in the background."""

    def __init__(self, config: Config) -> None:
        state, problem = state_file(config.state_dir)
        store = LogStore(state, problem)
        counters = CounterMaker(_patterns(config))
        self.limit = ScrapeLimit()
        self._watcher = _watcher(config)
        self._logs = LogWatch(_log_sources(config, self._watcher), counters.of_file, store)
        self._receivers = [
            SyslogReceiver(site, settings, counters.of_syslog(site), store)
            for site, settings in syslog_settings(config)
        ]
        catalog = ActionCatalog(config, self._watcher.inventory, JobStore(state, problem))
        self.runner = Runner(catalog, catalog.store)
        collectors = build(self._watcher, self._logs, catalog, self._receivers, state)
        self.alerting = Alerting(config.actions, self.runner, state, problem)
        self.registry = Registry([*collectors, *self.alerting.collectors, self.limit])
        self.observer = LastScrape(self.registry, self._watcher.inventory, History(DRAWN))
        self._actions_exist = config.actions is not None
        for collector in self.registry.collectors:
            start = getattr(collector, "start", None)
            if start is not None:
                start()
        self._logs.start()
        self.observer.start()
        self.alerting.start()

    def inventory(self) -> Inventory:
        """Return what was found on this host; waits a moment for the first search."""
        return self._watcher.inventory()

    def is_ready(self) -> bool:
        """Tell whether a scrape has something to read: a search of this host has ended well."""
        return self._watcher.last_success is not None

    def offered(self) -> set[tuple[str, str, str]]:
        """Return the action, site and database of all that may be asked for over HTTP."""
        if not self._actions_exist:
            return set()
        return {(action, *to) for action in ACTIONS for to in self.runner.targets(action)}

    def stop(self) -> None:
        """End everything, and keep the state of it for the next run; jobs are waited for."""
        self.alerting.stop()
        self.observer.stop()
        self.runner.stop()
        for collector in self.registry.collectors:
            stop = getattr(collector, "stop", None)
            if stop is not None:
                stop()
        for receiver in self._receivers:
            receiver.stop()
        self._logs.stop()
        self._watcher.stop()


def search(config: Config, timeout: float) -> Inventory:
    """Search this host once.

    Raises TimeoutError or SearchError if that does not end well within `timeout` seconds.
    """
    watcher = _watcher(config)
    try:
        return _searched(watcher, timeout)
    finally:
        watcher.stop()


def look(config: Config, timeout: float) -> tuple[Inventory, Scrape]:
    """Search this host and collect once, beside a sidecar that may be running.

    What takes long or would take something away from that sidecar is left out. Raises TimeoutError
    or SearchError if the search does not end well within `timeout` seconds.
    """
    watcher = _watcher(config)
    counters = CounterMaker(_patterns(config))
    logs = LogWatch(_log_sources(config, watcher), counters.of_file, LogStore(None))
    state, problem = state_file(config.state_dir)
    catalog = ActionCatalog(config, watcher.inventory, JobStore(state, problem))
    kept = KeptDataFsCollector(watcher.inventory, state)
    try:
        inventory = _searched(watcher, timeout)
        logs.start()
        return inventory, Registry([*build_passing(watcher, logs, catalog), kept]).scrape(timeout)
    finally:
        logs.stop()
        watcher.stop()


def idle_registry() -> Registry:
    """Return a registry of all collectors that has nothing to collect from."""
    watcher = Watcher(Inventory)
    watcher.stop()
    logs = LogWatch(tuple, CounterMaker({}).of_file, LogStore(None))
    catalog = ActionCatalog(Config(), watcher.inventory, JobStore(None))
    alerting = Alerting(None, Runner(catalog, catalog.store), None, None)
    collectors = build(watcher, logs, catalog, (), None)
    return Registry([*collectors, *alerting.collectors, ScrapeLimit()])


def declared_metrics() -> tuple[Metric, ...]:
    """Return every metric the exporter can expose."""
    registry = idle_registry()
    parts = [registry.metrics, *(collector.metrics for collector in registry.collectors)]
    return tuple(dict.fromkeys(metric for metrics in parts for metric in metrics))


def _searched(watcher: Watcher, timeout: float) -> Inventory:
    try:
        return watcher.rescan(timeout)
    except TimeoutError:
        watcher.check(longest=0)  # says what keeps it
        raise


def _watcher(config: Config) -> Watcher:
    declared = [declared_site(site) for site in config.sites]
    survey = Survey(open_memory(config.state_dir), declared, config.discover)
    return Watcher(survey, looking=survey.looking)


def _log_sources(config: Config, watcher: Watcher) -> Callable[[], list[LogSource]]:
    extra, real = extra_logs(config), RealPaths()
    return lambda: log_sources(watcher.inventory(), extra, real)


def _patterns(config: Config) -> dict[str, dict[str, str]]:
    return {site.name: site.logs.patterns for site in config.sites}
