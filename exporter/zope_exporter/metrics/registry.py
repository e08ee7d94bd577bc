"""Running the collectors: concurrently, under one deadline, within the one error boundary."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol, runtime_checkable

from zope_exporter.system.workers import Task, Workers

from .failure import LATE, Failure, Source, failure_of
from .failure_log import FailureLog, Key, Reading
from .metric import AnyCollector, Metric, Part, PartedCollector, Sample
from .values import Values

COLLECTOR_SUCCESS = Metric(
    "zope_collector_success",
    "gauge",
    "Whether all sources of a collector could be read in time (1) or not (0).",
    ("collector",),
)
COLLECTOR_DURATION = Metric(
    "zope_collector_duration_seconds",
    "gauge",
    "Duration of the slowest source of a collector, up to the deadline of the scrape.",
    ("collector",),
)


@dataclass(frozen=True)
class Scrape:
    """What one scrape brought: the samples of all that worked, the failures of all that did not."""

    samples: list[Sample]
    failures: list[Failure]

    @cached_property
    def values(self) -> Values:
        """The samples by metric and labels: one index for all that a page or `check` asks."""
        return Values(self.samples)


@runtime_checkable
class DerivedCollector(Protocol):
    """A collector that tells something of what the others brought; `derive` must not block."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...
    def derive(self, scrape: Scrape) -> Iterable[Sample]: ...


Registered = AnyCollector | DerivedCollector


class Registry:
    """The collectors of one exporter."""

    metrics = (COLLECTOR_SUCCESS, COLLECTOR_DURATION)

    def __init__(
        self, collectors: Iterable[Registered], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.collectors = tuple(collectors)
        self._derived = [c for c in self.collectors if isinstance(c, DerivedCollector)]
        self._reading = [c for c in self.collectors if not isinstance(c, DerivedCollector)]
        names = [collector.name for collector in self.collectors]
        if len(set(names)) < len(names):
            raise ValueError(f"two collectors of one name among {names}")
        self._clock = clock
        self._lock = threading.Lock()
        self._workers = Workers()
        self._running: dict[Key, _Run] = {}
        self._failure_log = FailureLog()

    def scrape(self, timeout: float) -> Scrape:
        """Read all sources at once; return within `timeout` seconds with what has come until then.

        A source that is still being read from before is not read twice, and no longer waited for
        than `timeout` in all: one that hangs costs one thread and its own series.
        """
        started = self._clock()
        page = _Page()
        runs = [(collector, self._start(collector, page)) for collector in self._reading]
        recent = started - timeout
        awaited = [run.outcome for _, group in runs for run in group if run.is_since(recent)]
        self._workers.wait(awaited, started + timeout - self._clock())
        for collector, group in runs:
            seconds = [page.take(collector, run, self._clock() - started) for run in group]
            page.summarise(collector.name, max(seconds, default=0.0))
        for derived in self._derived:
            page.take(derived, self._derive(derived, page), 0.0)
            page.summarise(derived.name, 0.0)
        self._failure_log.note(page.readings, timeout, page.unlisted)
        return Scrape(page.samples, page.failures)

    def _start(self, collector: AnyCollector, page: "_Page") -> list["_Run"]:
        try:
            parts = list(_parts(collector))
        except Exception as error:
            page.fail_to_list(collector.name, error)
            return []
        return [self._join_or_start(collector.name, part) for part in parts]

    def _join_or_start(self, name: str, part: Part) -> "_Run":
        key = name, part.source
        with self._lock:
            run = self._running.get(key)
            if run is None:
                run = self._running[key] = _Run(part.source, self._clock())
                work, refuse = partial(self._work, key, part, run), partial(self._refuse, key, run)
                self._workers.add(Task(f"collect {name}", work, refuse))
        return run

    def _refuse(self, key: Key, run: "_Run", error: Exception) -> None:
        with self._lock:
            del self._running[key]
        run.outcome.set_result(_Outcome([], error, 0.0, self._clock() - run.asked))

    def _derive(self, collector: DerivedCollector, page: "_Page") -> "_Run":
        samples: list[Sample] = []
        failure: Exception | None = None
        try:
            samples.extend(collector.derive(Scrape(page.samples, page.failures)))
        except Exception as error:
            failure = error
        run = _Run((), self._clock())
        run.outcome.set_result(_Outcome(samples, failure, 0.0, 0.0))
        return run

    def _work(self, key: Key, part: Part, run: "_Run") -> None:
        run.started = started = self._clock()
        samples: list[Sample] = []
        failure: BaseException | None = None
        try:
            samples.extend(part.collect())  # what came before an error is kept: it is still true
        except BaseException as error:  # a thread that died silently would look hung for ever
            failure = error
        with self._lock:
            del self._running[key]
        ended = self._clock()
        run.outcome.set_result(_Outcome(samples, failure, ended - started, ended - run.asked))


@dataclass(frozen=True)
class _Outcome:
    samples: list[Sample]
    error: BaseException | None
    seconds: float
    waited: float
    """The same with the time it took until a thread was free."""


@dataclass
class _Run:
    """One source that is read, or soon will be; overlapping scrapes share it."""

    source: Source
    asked: float
    started: float | None = None
    outcome: "Future[_Outcome]" = field(default_factory=Future)

    def is_since(self, moment: float) -> bool:
        """Whether it began later than that, or is still to begin."""
        return self.started is None or self.started > moment


class _Page:
    """The samples of one scrape, each checked against its declaration and against its like."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._failures: dict[Failure, None] = {}  # in their order, each once
        self.readings: dict[Key, Reading] = {}
        self.unlisted: set[str] = set()
        self._declared: dict[str, frozenset[Metric]] = {}  # by collector
        self._seen: set[tuple[str, tuple[str, ...], float | None]] = set()

    @property
    def failures(self) -> list[Failure]:
        return list(self._failures)

    def take(self, collector: Registered, run: _Run, waited: float) -> float:
        """Add what a source gave; return the seconds it took, or has been waited for in vain."""
        if not run.outcome.done():
            late = Failure(collector.name, run.source, "no answer in time", LATE)
            self._fail(collector.name, run.source, None, [late])
            return waited
        outcome = run.outcome.result()
        failures = list(self._add(collector, run.source, outcome.samples))
        if outcome.error is not None:
            failures.append(failure_of(collector.name, run.source, outcome.error))
        self._fail(collector.name, run.source, outcome.waited, failures)
        return outcome.seconds

    def fail_to_list(self, collector: str, error: Exception) -> None:
        """Note that a collector could not say what its sources are."""
        self.unlisted.add(collector)
        self._fail(collector, (), 0.0, [failure_of(collector, (), error)])

    def _add(
        self, collector: Registered, source: Source, samples: Iterable[Sample]
    ) -> Iterator[Failure]:
        declared = self._declared.get(collector.name)
        if declared is None:
            declared = self._declared[collector.name] = frozenset(collector.metrics)
        for sample in samples:
            problem = self._problem(declared, sample)
            if problem is None:
                self.samples.append(sample)
            else:
                yield failure_of(collector.name, source, ValueError(problem))

    def _fail(
        self, collector: str, source: Source, seconds: float | None, failures: list[Failure]
    ) -> None:
        self.readings[collector, source] = Reading(seconds, failures)
        self._failures |= dict.fromkeys(failures)

    def summarise(self, collector: str, seconds: float) -> None:
        failed = any(failure.collector == collector for failure in self._failures)
        self.samples.append(COLLECTOR_SUCCESS(not failed, collector=collector))
        self.samples.append(COLLECTOR_DURATION(seconds, collector=collector))

    def _problem(self, declared: frozenset[Metric], sample: Sample) -> str | None:
        if not isinstance(sample, Sample):
            return f"gave a {type(sample).__name__} for a sample"
        if sample.metric not in declared:
            return f"gave {sample.metric.name} without declaring it"
        if len(sample.labels) != len(sample.metric.labels):
            return f"gave {sample.metric.name} with {len(sample.labels)} label values"
        name = sample.metric.name + sample.suffix if sample.suffix else sample.metric.name
        series = name, sample.labels, sample.bound
        if series in self._seen:
            return f"gave {name}{sample.labels} twice"
        self._seen.add(series)
        return None


def _parts(collector: AnyCollector) -> Iterable[Part]:
    if isinstance(collector, PartedCollector):
        return collector.parts()
    return [Part((), collector.collect)]
