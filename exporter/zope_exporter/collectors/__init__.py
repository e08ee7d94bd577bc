"""Everything that is collected, in one explicit list."""

from zope_exporter.collector import AnyCollector
from zope_exporter.discovery.watcher import Watcher

from .discovery import DiscoveryCollector
from .exporter import ExporterCollector
from .filestorage import FileStorageCollector
from .ping import PingCollector
from .process import ProcessCollector

RESCAN_SECONDS = 3.0


def build(watcher: Watcher) -> list[AnyCollector]:
    """Return the collectors; they read what the watcher has found at the time of each scrape."""
    return [
        DiscoveryCollector(watcher),
        ExporterCollector(),
        FileStorageCollector(watcher.inventory),
        PingCollector(watcher.inventory),
        ProcessCollector(watcher.inventory, lambda: watcher.rescan(RESCAN_SECONDS)),
    ]
