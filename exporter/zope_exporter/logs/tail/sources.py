"""Which logs there are: those the services write, and those the configuration adds."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from zope_exporter.discovery.inventory import EventLog, Inventory, Process, Service
from zope_exporter.discovery.sites import first_free, numbered
from zope_exporter.system.foreign_root import real_path

LogKind = Literal["access", "event"]
_Given = dict[tuple[str, str], dict[LogKind, "ExtraLog"]]

KEPT_SECONDS = 60.0
PATIENCE = 0.25


@dataclass(frozen=True)
class ExtraLog:
    """A log that the configuration adds to a site."""

    site: str
    path: Path
    kind: LogKind
    format: str | None = None


@dataclass(frozen=True)
class LogSource:
    """A log to follow. `log` is its label, `process` the one known to write it.

    A file with both logs is followed twice, `shared` by a source of each kind: of its lines each
    counts those of its own kind.
    """

    site: str
    log: str
    path: Path
    kind: LogKind
    format: str | None = None
    date_format: str | None = None
    process: Process | None = None
    shared: bool = False

    @cached_property
    def lasting(self) -> "LogSource":
        """The source without what may change while it stays the same log."""
        return replace(self, process=None)


def log_sources(
    inventory: Inventory,
    extra: Iterable[ExtraLog] = (),
    real: Callable[[Path], str] = real_path,
) -> list[LogSource]:
    """Return every file once for each site, those of its services first.

    What the configuration says of a file outranks what was found of it, by whichever path; given
    there as both kinds, it is followed as both. `real` tells where a path leads. Of several logs
    with one name the first keeps it; the others get the names of their directories before it, as
    far as needed.
    """
    given: _Given = {}
    for log in extra:
        given.setdefault((log.site, real(log.path)), {}).setdefault(log.kind, log)
    sources: dict[tuple[str, str, str], LogSource] = {}
    taken: dict[str, set[str]] = {}
    for file, source in _candidates(inventory, given, real):
        if file not in sources:
            of_site = taken.setdefault(source.site, set())
            label = first_free(_labels(source), of_site)
            of_site.add(label)
            sources[file] = replace(source, log=label)
    return list(sources.values())


def _candidates(
    inventory: Inventory, given: _Given, real: Callable[[Path], str]
) -> Iterator[tuple[tuple[str, str, str], LogSource]]:
    with_more = {site for site, _ in given}
    for site in inventory.sites:
        # Elsewhere there is nothing to compare with, and no need to ask the file system.
        path_of = real if site.name in with_more else os.path.normpath
        for service in site.services:
            for source in _logs_of(site.name, service):
                path = path_of(source.path)
                outranking = given.get((site.name, path), {})
                shared = source.shared or len(outranking) > 1
                for kind, log in outranking.items():
                    outranked = _outranked(source, log, service)
                    yield (site.name, path, kind), replace(outranked, shared=shared)
                if source.kind not in outranking and (source.shared or not outranking):
                    yield (site.name, path, source.kind if source.shared else ""), source
    for (site_name, path), logs in given.items():
        for kind, log in logs.items():
            source = LogSource(site_name, log.path.name, log.path, kind, log.format)
            yield (site_name, path, kind), replace(source, shared=len(logs) > 1)


def _outranked(source: LogSource, log: ExtraLog, service: Service) -> LogSource:
    """A log that was found, with what the configuration says of it; it stays the service's."""
    if log.kind == source.kind and not log.format:
        return source
    return replace(
        source,
        log=f"{service.name}-{log.kind}",
        kind=log.kind,
        format=log.format,
        date_format=None,
    )


def _logs_of(site: str, service: Service) -> Iterator[LogSource]:
    process, access = service.apart()[0].process, service.access_log
    events = [(f"{service.name}-{log.path.name}", log) for log in service.more_event_logs]
    if service.event_log:
        formats = service.event_log_format, service.event_log_date_format
        events.insert(0, (f"{service.name}-event", EventLog(service.event_log, *formats)))
    if access:
        log, shared = f"{service.name}-access", access in [event.path for _, event in events]
        text = service.access_log_format
        yield LogSource(site, log, access, "access", text, process=process, shared=shared)
    for log, event in events:
        formats = event.format, event.date_format
        yield LogSource(site, log, event.path, "event", *formats, process, event.path == access)


def _labels(source: LogSource) -> Iterator[str]:
    label = source.log
    yield label
    for directory in source.path.parents:
        if directory.name:
            label = f"{directory.name}-{label}"
            yield label
    yield from numbered(label)


class RealPaths:
    """Resolves paths, each at most once a minute; what hangs is taken as it is written.

    `resolve` may be called by several threads.
    """

    def __init__(
        self,
        resolve: Callable[[Path], str] = real_path,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._patience = patience
        self._clock = clock
        self._known: dict[Path, tuple[float, str]] = {}
        self._asked: dict[Path, threading.Thread] = {}
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> str:
        """Return where a path leads, as far as that is known in time."""
        with self._lock:
            when, real = self._known.get(path, (None, os.path.normpath(path)))
            if when is not None and self._clock() - when < KEPT_SECONDS:
                return real
            asked = self._asked.get(path)
            if asked is not None and asked.is_alive():  # it hangs; whoever came first has waited
                return real
            asked = threading.Thread(target=self._ask, args=(path,), name="real path", daemon=True)
            self._asked[path] = asked
            asked.start()
        asked.join(self._patience)
        return self._known.get(path, (None, real))[1]

    def _ask(self, path: Path) -> None:
        try:
            real = self._resolve(path)
        except (OSError, ValueError):  # a loop of links
            real = os.path.normpath(path)
        self._known[path] = self._clock(), real
