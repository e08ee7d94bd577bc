"""What a Zope logs, as its log files and syslog tell it: there the agent inside it counts no more.

A request or record must not be in two series of one metric, or every sum has it twice.
"""

import math
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from zope_exporter.discovery.inventory import Service
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.system.state import StateError

from .counters import COUNT_OF
from .syslog.counting import MESSAGES
from .tail.file import LogError
from .tail.sources import LogKind, LogSource
from .tail.watch import LogWatch, Snapshot

_BySite = dict[tuple[str, LogKind], list[LogSource]]


class Receiver(Protocol):
    """What receives the logs of a site by syslog."""

    @property
    def site(self) -> str: ...
    def collect(self) -> Iterable[Sample]: ...


@dataclass(frozen=True)
class Followed:
    """Of one kind of log: whether anything followed tells it, and what the Zope's own file has.

    `has_file` is whether there is a file that tells it as soon as something is counted in it.

    `log` is the label of that file and `count` its requests or records so far; they are None where
    there is not one such file, but none or several. `free` is a label that no file has.
    """

    is_told: bool
    has_file: bool
    free: str
    log: str | None = None
    count: float | None = None


def agent_labels(zope: str, kind: LogKind) -> tuple[str, str]:
    """What a log is called that the agent counts, and what instead where a file has that label."""
    return f"{zope}-{kind}", f"{zope}-agent-{kind}"


class FollowedLogs:
    """Tells of each Zope which of its logs are followed.

    A file tells as soon as something was counted in it: before, it may be of another format, not to
    be read, or not what is written to. From then on it remains what tells, though there be none for
    a moment of a rotation: what falls into a gap would be counted by both.
    """

    def __init__(
        self,
        watch: LogWatch,
        receivers: Sequence[Receiver] = (),
    ) -> None:
        self._watch = watch
        self._receivers = receivers
        self._lock = threading.Lock()
        self._told: set[LogSource] = set()
        self._known: tuple[Sequence[LogSource], _BySite] | None = None

    def refresh(self, timeout: float, since: float = math.inf) -> bool:
        """Have all logs looked at, see LogWatch.refresh; return whether that was done in time."""
        if not any(self._sources().values()):
            return True
        try:
            self._watch.refresh(timeout, since)
        except LogError:
            return False
        return True

    def of(self, site: str, zope: Service, kind: LogKind) -> Followed:
        """Say it as of the last look."""
        sources = self._sources().get((site, kind), [])
        own = [each for each in sources if _is_of(zope, each)]
        shared = [each for each in sources if _belongs_to_nobody(each)]
        files = [*own, *shared]
        told = [each for each in files if self._tells(each)]
        is_told = bool(told) or self._comes_by_syslog(site, kind)
        label, other = agent_labels(zope.name, kind)
        free = other if any(s.log == label for s in sources) else label
        if len(own) != 1:
            return Followed(is_told, bool(files), free)
        count = _total(self._watch.snapshot(own[0]), COUNT_OF[kind])
        return Followed(is_told, bool(files), free, own[0].log, count)

    def _sources(self) -> _BySite:
        # A host may have hundreds of Zopes, each asking for its own.
        sources, known = self._watch.sources(), self._known
        if known is None or known[0] is not sources:
            found: _BySite = {}
            for source in sources:
                found.setdefault((source.site, source.kind), []).append(source)
            self._known = known = sources, found
        return known[1]

    def _tells(self, source: LogSource) -> bool:
        known, metric = source.lasting, COUNT_OF[source.kind]
        with self._lock:
            if known not in self._told and _total(self._watch.snapshot(source), metric):
                self._told.add(known)
            return known in self._told

    def _comes_by_syslog(self, site: str, kind: LogKind) -> bool:
        samples: list[Sample] = []
        for receiver in self._receivers:
            if receiver.site == site:
                samples += _samples(receiver)
        return any(s.metric == MESSAGES and s.labels[1] == kind and s.value for s in samples)


def _samples(receiver: Receiver) -> Iterable[Sample]:
    found: list[Sample] = []
    with suppress(StateError):  # the collector of syslog says it
        found.extend(receiver.collect())
    return found


def _is_of(zope: Service, source: LogSource) -> bool:
    if zope.process is not None:
        return source.process == zope.process
    return source.process is None and f"{zope.name}-{source.kind}" in source.log


def _belongs_to_nobody(source: LogSource) -> bool:
    """Whether the configuration has added it to a site: it may be of any Zope there."""
    return source.process is None and source.log.endswith(source.path.name)


def _total(snapshot: Snapshot, metric: Metric) -> float | None:
    values = [sample.value for sample in snapshot.counted if sample.metric == metric]
    return sum(values) if values else None
