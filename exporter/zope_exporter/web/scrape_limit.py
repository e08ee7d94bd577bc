"""How many scrapes may run at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from zope_exporter.metrics.metric import Metric, Sample

SCRAPES_REFUSED = Metric(
    "zope_exporter_scrapes_refused_total",
    "counter",
    "Scrapes answered with 503 because too many others were running.",
)


class ScrapeLimit:
    """Bounds the scrapes in flight and counts those refused; used from the event loop only."""

    name = "web"
    metrics = (SCRAPES_REFUSED,)

    def __init__(self, most: int = 40) -> None:
        self._most = most
        self._running = 0
        self._refused = 0

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """Tell whether one more scrape may run, and hold it."""
        free = self._running < self._most
        self._refused += not free
        self._running += free
        try:
            yield free
        finally:
            self._running -= free

    def collect(self) -> Iterator[Sample]:
        yield SCRAPES_REFUSED(self._refused)
