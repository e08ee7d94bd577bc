"""Whether the search for Zope and ZEO servers still works."""

from collections.abc import Iterator

from zope_exporter.discovery.watcher import Watcher
from zope_exporter.metrics.metric import Metric, Sample

LAST_SUCCESS = Metric(
    "zope_discovery_last_success_timestamp_seconds",
    "gauge",
    "When this host was last searched for Zope and ZEO servers with success; until the first"
    " search has ended, when the exporter was started.",
)

LONGEST_SECONDS = 30.0


class DiscoveryCollector:
    name = "discovery"
    metrics = (LAST_SUCCESS,)

    def __init__(self, watcher: Watcher, longest: float = LONGEST_SECONDS) -> None:
        """A search that takes more than `longest` seconds is a failure, whatever becomes of it."""
        self._watcher = watcher
        self._longest = longest

    def collect(self) -> Iterator[Sample]:
        yield LAST_SUCCESS(self._watcher.last_success)
        self._watcher.check(self._longest)
