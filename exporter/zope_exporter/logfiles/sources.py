"""Which logs there are: those the services write, and those the configuration adds."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zope_exporter.discovery.naming import first_free, numbered
from zope_exporter.inventory import Inventory, Process, Service

LogKind = Literal["access", "event"]


@dataclass(frozen=True)
class ExtraLog:
    """A log that the configuration adds to a site."""

    site: str
    path: Path
    kind: LogKind
    format: str | None = None


@dataclass(frozen=True)
class LogSource:
    """A log to follow. `log` is its label, `process` the one known to write it."""

    site: str
    log: str
    path: Path
    kind: LogKind
    format: str | None = None
    date_format: str | None = None
    process: Process | None = None


def log_sources(inventory: Inventory, extra: Iterable[ExtraLog] = ()) -> list[LogSource]:
    """Return every file once for each site, those of its services first.

    Of several files with one name the first keeps it; the others get the names of their
    directories before it, as far as needed.
    """
    found = [
        log
        for site in inventory.sites
        for service in site.services
        for log in _logs_of(site.name, service)
    ]
    found += [LogSource(log.site, log.path.name, log.path, log.kind, log.format) for log in extra]
    sources: dict[tuple[str, str], LogSource] = {}
    for source in found:
        file = source.site, os.path.normpath(source.path)
        if file not in sources:
            taken = {each.log for each in sources.values() if each.site == source.site}
            sources[file] = replace(source, log=first_free(_labels(source), taken))
    return list(sources.values())


def _logs_of(site: str, service: Service) -> Iterator[LogSource]:
    if service.access_log:
        log = f"{service.name}-access"
        yield LogSource(site, log, service.access_log, "access", process=service.process)
    if service.event_log:
        log = f"{service.name}-event"
        yield LogSource(
            site,
            log,
            service.event_log,
            "event",
            service.event_log_format,
            service.event_log_date_format,
            service.process,
        )


def _labels(source: LogSource) -> Iterator[str]:
    label = source.log
    yield label
    for directory in source.path.parents:
        if directory.name:
            label = f"{directory.name}-{label}"
            yield label
    yield from numbered(label)
