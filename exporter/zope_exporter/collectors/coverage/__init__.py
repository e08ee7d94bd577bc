"""What is watched of each Zope and ZEO server, from what the other collectors have brought.

It says what was seen, not what was hoped for: a source is watched if this very scrape has it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zope_exporter.clients.agent.diagnosis import Absence, why_absent
from zope_exporter.discovery.inventory import Inventory, Service
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape
from zope_exporter.system.ttl_cache import TtlCache

from .evidence import Evidence, Logs, Looked, State
from .sources import SOURCES

WATCHED = Metric(
    "zope_source_watched",
    "gauge",
    "Whether a source of a Zope or ZEO server is watched (1), or exists and is not watched "
    "(0); absent if there is none. `check` and the status page give the reason.",
    ("site", "zope", "source"),
)

_ABSENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Source:
    """One source of a Zope or ZEO server, how it is, and by what it is so, or why."""

    site: str
    zope: str
    name: str
    state: State
    text: str


class Coverage:
    """Tells of a scrape what it has seen and what it has not.

    `absence` looks for the reason why a Zope that runs has no agent.
    """

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        logs: Callable[[], Logs],
        absence: Callable[[Service], Absence] = why_absent,
    ) -> None:
        self._inventory = inventory
        self.logs = logs
        self._absences = TtlCache(absence, _ABSENCE_SECONDS)

    def of(self, scrape: Scrape) -> list[Source]:
        """Return every source of all that is watched on this host."""
        inventory = self._inventory()
        self._absences.keep([service for _, service in inventory.serving()])
        evidence = Evidence(scrape, self.logs(), self._absences.answer)
        return [
            Source(site.name, service.name, name, *judge(Looked(site, service, evidence)))
            for site in inventory.sites
            for service in site.services
            for name, judge in SOURCES.items()
        ]


class CoverageCollector:
    """Comes last: it tells of the samples of the other collectors, not of this host."""

    name = "coverage"
    metrics = (WATCHED,)

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    def derive(self, scrape: Scrape) -> Iterator[Sample]:
        for source in self._coverage.of(scrape):
            if source.state != "absent":
                watched = source.state == "watched"
                yield WATCHED(watched, site=source.site, zope=source.zope, source=source.name)
