"""Collecting once, beside a sidecar that may be running, and what there is to say of that."""

from zope_exporter.checks.finding import Finding
from zope_exporter.checks.limits import Limits
from zope_exporter.checks.site import judge
from zope_exporter.collectors import build_passing
from zope_exporter.collectors.datafs import KeptDataFsCollector
from zope_exporter.config.log_settings import known_logs, log_patterns
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.registry import Registry
from zope_exporter.system.state import state_file


def look(
    config: Config, watcher: Watcher, inventory: Inventory, limits: Limits, timeout: float
) -> list[Finding]:
    """Collect once within `timeout` seconds, and return what there is to say of an inventory.

    What takes long or would take something away from a sidecar is left out.
    """
    counters = CounterMaker(log_patterns(config))
    logs = LogWatch(known_logs(config, watcher.inventory), counters.of_file, LogStore(None))
    state, problem = state_file(config.state_dir)
    catalog = ActionCatalog(config, watcher.inventory, JobStore(state, problem))
    kept = KeptDataFsCollector(watcher.inventory, state)
    try:
        logs.start()
        registry = Registry([*build_passing(watcher, logs, catalog), kept])
        return judge(inventory, registry.scrape(timeout), limits)
    finally:
        logs.stop()
