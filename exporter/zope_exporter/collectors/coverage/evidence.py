"""What coverage is judged by: what there is to watch, and what one scrape has brought of it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from zope_exporter.clients.agent.diagnosis import Absence
from zope_exporter.discovery.inventory import Database, Service, Site, Storage
from zope_exporter.logs.tail.sources import LogKind, LogSource
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Scrape

State = Literal["watched", "absent", "blind"]
"""Watched; not there, by design; or there, and nobody sees it."""

Judged = tuple[State, str]
"""How a source is, and by what, or why and what to do."""


@dataclass(frozen=True)
class Logs:
    """The log files that are followed, and the sites whose logs come by syslog.

    `patterns` are the names of those that the configuration adds to each site.
    """

    files: Sequence[LogSource] = ()
    by_syslog: frozenset[str] = frozenset()
    patterns: Mapping[str, Collection[str]] = field(default_factory=dict)


class Evidence:
    """What a scrape has brought, and why it lacks the rest.

    `absence` tells why there is no agent.
    """

    def __init__(self, scrape: Scrape, logs: Logs, absence: Callable[[Service], Absence]) -> None:
        self.values = scrape.values
        self.logs = logs
        self.absence = absence
        self._failures = {(each.collector, each.source): each.reason for each in scrape.failures}
        self.files: defaultdict[tuple[str, LogKind], list[LogSource]] = defaultdict(list)
        """Those that are followed, by site and kind."""
        for log in logs.files:
            self.files[log.site, log.kind].append(log)

    def failure(self, collector: str, site: str, source: str) -> str:
        """Why a collector could not read a source of a site, empty if it could.

        That of a site as a whole is the empty one.
        """
        whole = self._failures.get((collector, ()), "")
        part = (site, source) if source else (site,)
        return self._failures.get((collector, part), whole)


@dataclass(frozen=True)
class Looked:
    """One Zope or ZEO server of a site, and the evidence of it."""

    site: Site
    service: Service
    evidence: Evidence

    @property
    def is_zope(self) -> bool:
        return self.service.kind == "zope"

    def value(self, metric: Metric, *labels: str) -> float | None:
        return self.evidence.values.get(metric, self.site.name, *labels)

    def failure(self, collector: str, source: str) -> str:
        return self.evidence.failure(collector, self.site.name, source)

    def storages(self) -> Iterator[tuple[Database, Storage | None]]:
        """The databases, each with its Data.fs where that is one of this site."""
        for database in self.service.databases:
            yield database, next((s for s in self.site.storages if _holds(s, database)), None)

    def logs(self, kind: LogKind) -> list[LogSource]:
        """Its own logs of a kind, or else those that are given for the whole site."""
        ours = self.evidence.files[self.site.name, kind]
        own = [log for log in ours if is_own(log, self.service)]
        others = self.site.services
        return own or [log for log in ours if not any(is_own(log, each) for each in others)]


def is_own(log: LogSource, service: Service) -> bool:
    """Tell whether a service writes this log, as far as its configuration says so."""
    if log.process is not None and log.process == service.process:
        return True
    named = log.log == f"{service.name}-{log.kind}"
    more = [each.path for each in service.more_event_logs]
    return named or log.path in (service.access_log, service.event_log, *more)


def _holds(storage: Storage, database: Database) -> bool:
    if database.data_fs is not None:
        return storage.data_fs == database.data_fs
    return database.kind == "zeo" and storage.database == database.name


def together(judged: Sequence[Judged], otherwise: str) -> Judged:
    """Return what several make together: one that nobody sees makes it blind."""
    for state in ("blind", "watched"):
        said = [text for each, text in judged if each == state]
        if said:
            return ("blind" if state == "blind" else "watched"), "; ".join(
                dict.fromkeys(filter(None, said))
            )
    return "absent", next((text for _, text in judged if text), otherwise)
