"""Running the collectors: concurrently, under one deadline, within the one error boundary."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

from zope_exporter.system.workers import Task, Workers

from .metric import AnyCollector, Metric, Part, PartedCollector, Sample

log = logging.getLogger(__name__)

COLLECTOR_SUCCESS = Metric(
    "zope_collector_success",
    "gauge",
    "Whether all sources of a collector could be read in time (1) or not (0).",
    ("collector",),
)
COLLECTOR_DURATION = Metric(
    "zope_collector_duration_seconds",
    "gauge",
    "Time the slowest source of a collector took, up to the deadline of the scrape.",
    ("collector",),
)


@dataclass(frozen=True)
class Failure:
    """What a collector could not read, and why."""

    collector: str
    source: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.collector} {self.source}" if self.source else self.collector
        return f"{where}: {self.reason}"


@dataclass(frozen=True)
class Scrape:
    """What one scrape brought: the samples of all that worked, the failures of all that did not."""

    samples: list[Sample]
    failures: list[Failure]


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
        self._running: dict[tuple[str, str], _Run] = {}
        self._logged: frozenset[Failure] = frozenset()

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
        self._log_changes(page.failures)
        return Scrape(page.samples, page.failures)

    def _start(self, collector: AnyCollector, page: "_Page") -> list["_Run"]:
        try:
            parts = list(_parts(collector))
        except Exception as error:
            page.fail(collector.name, "", error)
            return []
        return [self._join_or_start(collector.name, part) for part in parts]

    def _join_or_start(self, name: str, part: Part) -> "_Run":
        key = name, part.source
        with self._lock:
            run = self._running.get(key)
            if run is None:
                run = self._running[key] = _Run(part.source)
                work, refuse = partial(self._work, key, part, run), partial(self._refuse, key, run)
                self._workers.add(Task(f"collect {name}", work, refuse))
        return run

    def _refuse(self, key: tuple[str, str], run: "_Run", error: Exception) -> None:
        with self._lock:
            del self._running[key]
        run.outcome.set_result(_Outcome([], error, 0.0))

    def _derive(self, collector: DerivedCollector, page: "_Page") -> "_Run":
        samples: list[Sample] = []
        failure: Exception | None = None
        try:
            samples.extend(collector.derive(Scrape(page.samples, page.failures)))
        except Exception as error:
            failure = error
        run = _Run("")
        run.outcome.set_result(_Outcome(samples, failure, 0.0))
        return run

    def _work(self, key: tuple[str, str], part: Part, run: "_Run") -> None:
        run.started = started = self._clock()
        samples: list[Sample] = []
        failure: BaseException | None = None
        try:
            samples.extend(part.collect())  # what came before an error is kept: it is still true
        except BaseException as error:  # a thread that died silently would look hung for ever
            failure = error
        with self._lock:
            del self._running[key]
        run.outcome.set_result(_Outcome(samples, failure, self._clock() - started))

    def _log_changes(self, failures: list[Failure]) -> None:
        now = frozenset(failures)
        with self._lock:  # of two scrapes that end at once only one tells
            before, self._logged = self._logged, now
        for failure in failures:
            if failure not in before:
                log.warning("%s", failure)
        for failure in before - now:
            log.info("no longer: %s", failure)


@dataclass(frozen=True)
class _Outcome:
    samples: list[Sample]
    error: BaseException | None
    seconds: float


@dataclass
class _Run:
    """One source that is read, or soon will be; overlapping scrapes share it."""

    source: str
    started: float | None = None
    outcome: "Future[_Outcome]" = field(default_factory=Future)

    def is_since(self, moment: float) -> bool:
        """Whether it began later than that, or is still to begin."""
        return self.started is None or self.started > moment


class _Page:
    """The samples of one scrape, each checked against its declaration and against its like."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.failures: list[Failure] = []
        self._seen: set[tuple[str, tuple[str, ...], float | None]] = set()

    def take(self, collector: Registered, run: _Run, waited: float) -> float:
        """Add what a source gave; return the seconds it took, or has been waited for in vain."""
        if not run.outcome.done():
            self.fail(collector.name, run.source, TimeoutError("no answer in time"))
            return waited
        outcome = run.outcome.result()
        declared = frozenset(collector.metrics)
        for sample in outcome.samples:
            problem = self._problem(declared, sample)
            if problem is None:
                self.samples.append(sample)
            else:
                self.fail(collector.name, run.source, ValueError(problem))
        if outcome.error is not None:
            self.fail(collector.name, run.source, outcome.error)
        return outcome.seconds

    def fail(self, collector: str, source: str, error: BaseException) -> None:
        failure = Failure(collector, source, _reason(error))
        if failure not in self.failures:
            self.failures.append(failure)

    def summarise(self, collector: str, seconds: float) -> None:
        failed = any(failure.collector == collector for failure in self.failures)
        self.samples.append(COLLECTOR_SUCCESS(not failed, collector=collector))
        self.samples.append(COLLECTOR_DURATION(seconds, collector=collector))

    def _problem(self, declared: frozenset[Metric], sample: Sample) -> str | None:
        if not isinstance(sample, Sample):
            return f"gave a {type(sample).__name__} for a sample"
        if sample.metric not in declared:
            return f"gave {sample.metric.name} without declaring it"
        if len(sample.labels) != len(sample.metric.labels):
            return f"gave {sample.metric.name} with {len(sample.labels)} label values"
        name = sample.metric.name + sample.suffix
        series = name, sample.labels, sample.bound
        if series in self._seen:
            return f"gave {name}{sample.labels} twice"
        self._seen.add(series)
        return None


def _parts(collector: AnyCollector) -> Iterable[Part]:
    if isinstance(collector, PartedCollector):
        return collector.parts()
    return [Part("", collector.collect)]


def _reason(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # an exception that cannot even say what it is must not cost the page
        return type(error).__name__
