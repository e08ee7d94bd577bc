"""Keeping what was last seen at hand, so that the status page costs no scrape of its own."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.system.periodic import Periodic

from .history import STEP_SECONDS, History

log = logging.getLogger(__name__)

SCRAPE_SECONDS = 10.0


@dataclass(frozen=True)
class Look:
    """What there was to see at one time, in seconds since the epoch."""

    inventory: Inventory
    scrape: Scrape
    time: float


class LastScrape:
    """Scrapes for Prometheus and remembers it; while nobody does, it looks for itself.

    Beside a Prometheus that scrapes as often as `interval` (seconds) it never takes a look.
    """

    def __init__(
        self,
        registry: Registry,
        inventory: Callable[[], Inventory],
        history: History,
        interval: float = STEP_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._inventory = inventory
        self._interval = interval
        self._clock = clock
        self._latest: Look | None = None
        self._looks = Periodic("looks for the status page", self._look_if_nobody_has, interval)
        self.history = history

    @property
    def latest(self) -> Look | None:
        """What was seen last, None before the first scrape."""
        return self._latest

    def start(self) -> None:
        """Begin to look when nobody else does."""
        self._looks.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End that; a look that hangs is left behind after `timeout` seconds."""
        self._looks.stop(timeout)

    def scrape(self, timeout: float) -> Scrape:
        """Scrape the registry, see Registry.scrape, and remember what came."""
        scrape = self._registry.scrape(timeout)
        self._remember(Look(self._inventory(), scrape, self._clock()))
        return scrape

    def _remember(self, look: Look) -> None:
        self._latest = look
        self.history.add(look.scrape.samples, look.time)

    def _look_if_nobody_has(self) -> float:
        """Return the seconds until the next look is due."""
        age = self._interval if self._latest is None else self._clock() - self._latest.time
        if 0 <= age < self._interval:
            return self._interval - age
        try:
            self.scrape(SCRAPE_SECONDS)
        except Exception:  # the thread must live on; the page says how old its look is
            log.exception("looking for the status page failed")
        return self._interval
