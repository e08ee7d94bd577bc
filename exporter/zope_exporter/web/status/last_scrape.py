"""Keeping what was last seen at hand, so that the status page costs no scrape of its own."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from zope_exporter.collectors.coverage import Coverage
from zope_exporter.collectors.coverage.evidence import Logs
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.system.garbage import collect_seldom
from zope_exporter.system.periodic import Periodic
from zope_exporter.system.trouble import Trouble

from .history import STEP_SECONDS, History
from .slow_views import ViewsOf
from .written import Since

log = logging.getLogger(__name__)

SCRAPE_SECONDS = 10.0


@dataclass(frozen=True)
class Observation:
    """What there was to see at one time, in seconds since the epoch."""

    inventory: Inventory
    scrape: Scrape
    time: float


class LastScrape:
    """Scrapes for Prometheus and remembers it; while nobody does, it scrapes by itself.

    Beside a Prometheus that scrapes as often as `interval` (seconds) it never does.
    """

    def __init__(
        self,
        registry: Registry,
        inventory: Callable[[], Inventory],
        history: History,
        interval: float = STEP_SECONDS,
        clock: Callable[[], float] = time.time,
        coverage: Coverage | None = None,
        written_since: Since = lambda *_: None,
        views_of: ViewsOf = lambda _: {},
    ) -> None:
        """`coverage` tells of a scrape what it has seen and what it has not."""
        self._registry = registry
        self._inventory = inventory
        self._interval = interval
        self._clock = clock
        self._latest: Observation | None = None
        self._trouble = Trouble()
        self._scrapes = Periodic("status page scrapes", self._scrape_if_nobody_has, interval)
        self.history = history
        self.written_since = written_since
        self.views_of = views_of
        self.coverage = coverage or Coverage(Inventory, Logs)

    @property
    def latest(self) -> Observation | None:
        """What was seen last, None before the first scrape."""
        return self._latest

    def start(self) -> None:
        """Begin to scrape when nobody else does."""
        self._scrapes.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End that; a scrape that hangs is left behind after `timeout` seconds."""
        self._scrapes.stop(timeout)

    def scrape(self, timeout: float) -> Scrape:
        """Scrape the registry, see Registry.scrape, and remember what came."""
        scrape = self._registry.scrape(timeout)
        collect_seldom(len(scrape.samples))
        self._latest = Observation(self._inventory(), scrape, self._clock())
        self.history.add(scrape.samples, self._latest.time)
        return scrape

    def _scrape_if_nobody_has(self) -> float:
        """Return the seconds until the next scrape is due."""
        age = self._interval if self._latest is None else self._clock() - self._latest.time
        if 0 <= age < self._interval:
            return self._interval - age
        try:
            self.scrape(SCRAPE_SECONDS)
        except Exception as error:  # the thread must live on; the page says how old its data is
            if self._trouble.is_new(error):
                log.exception("the scrapes for the status page fail")
        else:
            if self._trouble.is_over():
                log.info("the scrapes for the status page work again")
        return self._interval
