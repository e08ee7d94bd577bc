"""What the log tells of failures: one line when one comes, one when it goes."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from zope_exporter.metrics.failure import Source
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.metrics.registry import Registry

ONE = Metric("zope_one", "gauge", "One.", ("source",))

SOON = 20.0  # seconds; only a broken registry ever waits so long
SHORT = 0.05

Read = Callable[[], Iterable[Sample]]


@dataclass
class Parted:
    sources: dict[Source, Read]
    name: str = "parted"
    metrics: tuple[Metric, ...] = (ONE,)
    listable: bool = True

    def parts(self) -> Iterator[Part]:
        if not self.listable:
            raise LookupError("no inventory yet")
        for source, read in self.sources.items():
            yield Part(source, read)


@dataclass
class Slow:
    """Takes some seconds of its own clock, and does not answer before its gate is open."""

    seconds: float = 3.0
    error: Exception | None = None
    now: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> Iterator[Sample]:
        self.now += self.seconds
        self.gate.wait(SOON)
        if self.error is not None:
            raise self.error
        yield ONE(1, source="slow")

    def clock(self) -> float:
        return self.now

    def ask_twice(self, registry: Registry) -> None:
        """Let one scraper ask that has no patience, and one that has enough."""
        self.gate.clear()
        registry.scrape(SHORT)
        self.gate.set()
        registry.scrape(SOON)


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All lines that the log must have in the end; a test adds them."""
    lines: list[str] = []
    with caplog.at_level("INFO"):
        yield lines
    assert [each.getMessage() for each in caplog.get_records("call")] == lines


def fine() -> Iterator[Sample]:
    yield from ()


def failing(*errors: Exception) -> Read:
    """Return what raises one after the other."""
    ahead = iter(errors)

    def read() -> Iterable[Sample]:
        raise next(ahead)

    return read


def test_text_that_moves_makes_no_line_for_each_scrape(messages: list[str]) -> None:
    words = "event.log has not let itself be read for {} s by process {}"
    errors = [LookupError(words.format(17 + 15 * n, 4711 + n)) for n in range(5)]
    collector = Parted({("intranet", "event"): failing(*errors)})
    registry = Registry([collector])
    reasons = [registry.scrape(SOON).failures[0].reason for _ in errors]
    assert reasons == [str(error) for error in errors]
    collector.sources["intranet", "event"] = fine
    registry.scrape(SOON)
    registry.scrape(SOON)
    told = f"parted intranet/event: {errors[0]}"
    messages += [told, f"no longer: {told}"]


def test_another_kind_of_failure_is_told_though_the_old_one_is_not_repaired_in_between(
    messages: list[str],
) -> None:
    def wrapped(cause: Exception) -> Exception:
        error = LookupError("Data.fs cannot be read")
        error.__cause__ = cause
        return error

    denied, broken = PermissionError(13, "denied"), OSError(5, "disk on fire")
    errors = (denied, broken, broken, wrapped(denied), wrapped(broken))
    registry = Registry([Parted({("intranet",): failing(*errors)})])
    for _ in errors:
        registry.scrape(SOON)
    lines = [
        "parted intranet: [Errno 13] denied",
        "parted intranet: [Errno 5] disk on fire",
        "parted intranet: Data.fs cannot be read",
    ]
    messages += [lines[0], lines[1], f"no longer: {lines[0]}", lines[2], f"no longer: {lines[1]}"]
    messages += [lines[2], f"no longer: {lines[2]}"]


def test_two_scrapers_of_different_patience_make_one_line(messages: list[str]) -> None:
    slow = Slow()
    registry = Registry([Parted({("intranet",): slow})], clock=slow.clock)
    for _ in range(5):
        slow.ask_twice(registry)
    slow.seconds = 0.0
    for _ in range(2):
        registry.scrape(SOON)
    told = f"parted intranet: no answer in time ({SHORT:g} s)"
    messages += [told, f"no longer: {told}"]


def test_what_a_patient_scraper_is_told_is_not_repaired_for_one_without_patience(
    messages: list[str],
) -> None:
    slow = Slow(error=LookupError("no right to look"))
    registry = Registry([Parted({("intranet",): slow})], clock=slow.clock)
    for _ in range(5):
        slow.ask_twice(registry)
    messages += [
        f"parted intranet: no answer in time ({SHORT:g} s)",
        "parted intranet: no right to look",
    ]


def test_one_that_is_late_even_for_a_patient_scraper_is_told_again(messages: list[str]) -> None:
    slow = Slow()
    registry = Registry([Parted({("intranet",): slow})], clock=slow.clock)
    for timeout in (SHORT, 2 * SHORT, SHORT, 2 * SHORT):
        registry.scrape(timeout)
    slow.gate.set()
    told = [f"parted intranet: no answer in time ({each:g} s)" for each in (SHORT, 2 * SHORT)]
    messages += told


def test_names_with_slashes_are_not_taken_for_one_another(messages: list[str]) -> None:
    first, second = ("a/b", "c"), ("a", "b/c")
    collector = Parted({each: failing(*[LookupError(each[0])] * 3) for each in (first, second)})
    registry = Registry([collector])
    for _ in range(2):
        failures = registry.scrape(SOON).failures
        assert [failure.source for failure in failures] == [first, second]
    collector.sources[first] = fine
    registry.scrape(SOON)
    told = ["parted a/b/c: a/b", "parted a/b/c: a"]
    messages += [*told, f"no longer: {told[0]}"]


def test_what_is_no_more_is_not_wrong_any_longer(messages: list[str]) -> None:
    collector = Parted({("intranet",): failing(LookupError("torn"))})
    registry = Registry([collector])
    registry.scrape(SOON)
    collector.sources.clear()
    registry.scrape(SOON)
    messages += ["parted intranet: torn", "no longer: parted intranet: torn"]


def test_a_collector_that_cannot_list_its_sources_tells_nothing_of_them(
    messages: list[str],
) -> None:
    collector = Parted({("intranet",): failing(*[LookupError("torn")] * 3)})
    registry = Registry([collector])
    for listable in (True, False, True):
        collector.listable = listable
        registry.scrape(SOON)
    unlisted = "parted: no inventory yet"
    messages += ["parted intranet: torn", unlisted, f"no longer: {unlisted}"]
