"""Every metric the exporter can expose, and their reference, made from the code."""

from collections.abc import Iterable

from zope_exporter.collectors import build
from zope_exporter.collectors.coverage import Coverage
from zope_exporter.collectors.coverage.evidence import Logs
from zope_exporter.collectors.exporter import ExporterCollector
from zope_exporter.collectors.watchdog import WatchdogCollector
from zope_exporter.collectors.webhook import WebhookCollector
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.scrape_limit import ScrapeLimit


def idle_registry() -> Registry:
    """Return a registry of all collectors that has nothing to collect from."""
    watcher = Watcher(Inventory)
    watcher.stop()
    logs = LogWatch(tuple, CounterMaker({}).of_file, LogStore(None))
    catalog = ActionCatalog(Config(), Inventory, JobStore(None))
    collectors = build(watcher, logs, catalog, (), None, Coverage(Inventory, Logs))
    alerting = WebhookCollector(configured=False), WatchdogCollector(None)
    return Registry([*collectors, ExporterCollector(), *alerting, ScrapeLimit()])


def declared_metrics() -> tuple[Metric, ...]:
    """Return every metric the exporter can expose."""
    registry = idle_registry()
    parts = [registry.metrics, *(collector.metrics for collector in registry.collectors)]
    return tuple(dict.fromkeys(metric for metrics in parts for metric in metrics))


def metrics_reference(metrics: Iterable[Metric]) -> str:
    """Return a Markdown table of metrics: name, kind, labels, help."""
    rows = sorted(f"| `{m.name}` | {m.kind} | {_labels(m)} | {m.help} |" for m in metrics)
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)
