"""Whether the search for Zope and ZEO servers still works."""

from collections.abc import Iterator

from zope_exporter.discovery.watcher import SearchError, Watcher
from zope_exporter.metric import Metric, Sample

LAST_SUCCESS = Metric(
    "zope_discovery_last_success_timestamp_seconds",
    "gauge",
    "When this host was last searched for Zope and ZEO servers with success.",
)


class DiscoveryCollector:
    name = "discovery"
    metrics = (LAST_SUCCESS,)

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Sample]:
        if self._watcher.last_success is not None:
            yield LAST_SUCCESS(self._watcher.last_success)
        if self._watcher.error is not None:
            raise SearchError(str(self._watcher.error)) from self._watcher.error
