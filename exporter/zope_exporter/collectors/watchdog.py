"""Whether alerting still gives signs of life."""

from collections.abc import Iterator

from zope_exporter.alerting.watchdog.timer import METRICS, Watchdog
from zope_exporter.metrics.metric import Sample


class WatchdogCollector:
    """Has nothing to say where no dead-man timer is configured."""

    name = "watchdog"
    metrics = METRICS

    def __init__(self, watchdog: Watchdog | None) -> None:
        self._watchdog = watchdog

    def collect(self) -> Iterator[Sample]:
        if self._watchdog is not None:
            yield from self._watchdog.collect()
