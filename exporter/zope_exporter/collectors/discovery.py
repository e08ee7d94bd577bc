"""Whether the search for Zope and ZEO servers still works, and which sites other hosts share."""

from collections.abc import Iterator

from zope_exporter.discovery.watcher import NothingFoundError, Watcher
from zope_exporter.metrics.metric import Metric, Sample

LAST_SUCCESS = Metric(
    "zope_discovery_last_success_timestamp_seconds",
    "gauge",
    "Time of the last successful search of this host for Zope and ZEO servers; until the "
    "first search has ended, the time at which the exporter was started.",
)

SHARED = Metric(
    "zope_site_shared_info",
    "info",
    "Sites that other hosts have a part in, by declaration or by a fingerprint of the"
    " database they share; sites of one name on two hosts are the same one only if both have the"
    " same `by`.",
    ("site", "by"),
)

LONGEST_SECONDS = 30.0


class DiscoveryCollector:
    name = "discovery"
    metrics = (LAST_SUCCESS, SHARED)

    def __init__(self, watcher: Watcher, longest: float = LONGEST_SECONDS) -> None:
        """A search that takes more than `longest` seconds is a failure, whatever becomes of it."""
        self._watcher = watcher
        self._longest = longest

    def collect(self) -> Iterator[Sample]:
        yield LAST_SUCCESS(self._watcher.last_success)
        for site in self._watcher.inventory().sites:
            if site.shared_by:
                yield SHARED(site=site.name, by=site.shared_by)
        self._watcher.check(self._longest)
        if self._watcher.has_found_nothing:
            raise NothingFoundError
