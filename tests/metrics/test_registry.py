import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.metrics.registry import Registry, Scrape

ONE = Metric("zope_one", "gauge", "One.", ("source",))
OTHER = Metric("zope_other", "gauge", "Never declared by a collector here.", ("source",))

SOON = 20.0  # seconds; only a broken registry ever waits so long


@dataclass
class Simple:
    read: Callable[[], Iterable[Sample]]
    name: str = "simple"
    metrics: tuple[Metric, ...] = (ONE,)

    def collect(self) -> Iterable[Sample]:
        return self.read()


@dataclass
class Parted:
    sources: dict[str, Callable[[], Iterable[Sample]]]
    name: str = "parted"
    metrics: tuple[Metric, ...] = (ONE,)

    def parts(self) -> Iterator[Part]:
        for source, read in self.sources.items():
            yield Part((source,), read)


class Hanging:
    """A source that answers only once the test lets go of it."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.returned = threading.Event()
        self.threads: set[int] = set()

    def __call__(self) -> Iterator[Sample]:
        self.threads.add(threading.get_ident())
        self.let_go.wait(SOON)
        yield ONE(1, source="slow")
        self.returned.set()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    source = Hanging()
    yield source
    source.let_go.set()


def values(scrape: Scrape, name: str) -> dict[tuple[str, ...], float]:
    return {s.labels: s.value for s in scrape.samples if s.metric.name == name}


def reasons(scrape: Scrape) -> list[str]:
    return [str(failure) for failure in scrape.failures]


def good() -> Iterator[Sample]:
    yield ONE(1, source="good")


def test_success_and_duration_are_told_for_each_collector() -> None:
    scrape = Registry([Simple(good)]).scrape(SOON)
    assert values(scrape, "zope_one") == {("good",): 1}
    assert values(scrape, "zope_collector_success") == {("simple",): 1}
    assert 0 <= values(scrape, "zope_collector_duration_seconds")[("simple",)] < SOON
    assert scrape.failures == []


def raises() -> Iterator[Sample]:
    yield ONE(1, source="before")
    raise OSError("disk on fire")


def test_what_came_before_an_error_is_kept_and_the_error_is_told() -> None:
    scrape = Registry([Simple(raises), Simple(good, name="well")]).scrape(SOON)
    assert values(scrape, "zope_one") == {("before",): 1, ("good",): 1}
    assert values(scrape, "zope_collector_success") == {("simple",): 0, ("well",): 1}
    assert reasons(scrape) == ["simple: disk on fire"]


def exits() -> Iterator[Sample]:
    raise SystemExit


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def unprintable() -> Iterator[Sample]:
    raise UnprintableError


def twice() -> Iterator[Sample]:
    yield ONE(1, source="a")
    yield ONE(2, source="a")


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (exits, "simple: SystemExit"),
        (unprintable, "simple: UnprintableError"),
        (twice, "simple: gave zope_one('a',) twice"),
        (lambda: [OTHER(1, source="a")], "simple: gave zope_other without declaring it"),
        (lambda: [Sample(ONE, (), 1.0)], "simple: gave zope_one with 0 label values"),
        (lambda: ["text"], "simple: gave a str for a sample"),
        (lambda: None, "simple: 'NoneType' object is not iterable"),
    ],
)
def test_bad_collectors_cost_only_themselves(
    read: Callable[[], Iterable[Sample]], reason: str
) -> None:
    scrape = Registry([Simple(read), Simple(good, name="well")]).scrape(SOON)
    assert values(scrape, "zope_collector_success") == {("simple",): 0, ("well",): 1}
    assert values(scrape, "zope_one")[("good",)] == 1
    assert reasons(scrape) == [reason]


def test_a_series_two_collectors_give_is_the_first_ones() -> None:
    second = Simple(lambda: [ONE(2, source="good")], name="second")
    scrape = Registry([Simple(good, name="first"), second]).scrape(SOON)
    assert values(scrape, "zope_one") == {("good",): 1}
    assert values(scrape, "zope_collector_success") == {("first",): 1, ("second",): 0}


def test_two_collectors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two collectors of one name"):
        Registry([Simple(good), Simple(good)])


def test_a_collector_whose_parts_cannot_be_listed_fails_alone() -> None:
    class Unlistable(Parted):
        def parts(self) -> Iterator[Part]:
            raise LookupError("no inventory yet")

    scrape = Registry([Unlistable({}), Simple(good)]).scrape(SOON)
    assert values(scrape, "zope_collector_success") == {("parted",): 0, ("simple",): 1}
    assert reasons(scrape) == ["parted: no inventory yet"]


def test_a_hanging_source_costs_its_own_series_only(hanging: Hanging) -> None:
    registry = Registry([Parted({"slow": hanging, "quick": good})])
    scrape = registry.scrape(0.05)
    assert values(scrape, "zope_one") == {("good",): 1}
    assert values(scrape, "zope_collector_success") == {("parted",): 0}
    assert values(scrape, "zope_collector_duration_seconds")[("parted",)] >= 0.05
    assert reasons(scrape) == ["parted slow: no answer in time"]


def test_a_hanging_source_costs_one_thread_and_is_not_waited_for_again(hanging: Hanging) -> None:
    now = 0.0
    registry = Registry([Parted({"slow": hanging, "quick": good})], clock=lambda: now)
    registry.scrape(0.05)
    now = 3600.0
    for _ in range(5):
        # Waiting for it again would use up this timeout and hang the test.
        assert values(registry.scrape(3600), "zope_one") == {("good",): 1}
    assert len(hanging.threads) == 1


def test_a_scrape_in_a_hurry_does_not_spoil_the_next_one(hanging: Hanging) -> None:
    registry = Registry([Parted({"slow": hanging})])
    assert values(registry.scrape(0.05), "zope_one") == {}
    scrapes: list[Scrape] = []
    patient = threading.Thread(target=lambda: scrapes.append(registry.scrape(SOON)))
    patient.start()
    hanging.let_go.set()
    patient.join(SOON)
    assert values(scrapes[0], "zope_one") == {("slow",): 1}


def test_a_source_that_came_back_is_read_anew(hanging: Hanging) -> None:
    registry = Registry([Parted({"slow": hanging})])
    registry.scrape(0.05)
    hanging.let_go.set()
    assert hanging.returned.wait(SOON)
    found = [values(registry.scrape(SOON), "zope_one") for _ in range(2)]
    assert found[-1] == {("slow",): 1}


def test_overlapping_scrapes_share_a_running_source(hanging: Hanging) -> None:
    registry = Registry([Simple(hanging)])
    scrapes: list[Scrape] = []
    threads = [
        threading.Thread(target=lambda: scrapes.append(registry.scrape(SOON))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    hanging.let_go.set()
    for thread in threads:
        thread.join(SOON)
    assert [values(scrape, "zope_one") for scrape in scrapes] == [{("slow",): 1}] * 5


def test_failures_are_logged_when_they_come_and_when_they_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = True

    def read() -> Iterator[Sample]:
        if broken:
            raise OSError("disk on fire")
        yield from good()

    registry = Registry([Simple(read)])
    with caplog.at_level("INFO"):
        registry.scrape(SOON)
        registry.scrape(SOON)
        broken = False
        registry.scrape(SOON)
    assert caplog.messages == ["simple: disk on fire", "no longer: simple: disk on fire"]


def test_of_scrapes_that_end_in_one_moment_one_logs_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scrapers, rounds = 8, 30
    together = threading.Barrier(scrapers)

    def read() -> Iterable[Sample]:
        raise OSError("disk on fire")

    def scrape(registry: Registry) -> Scrape:
        together.wait(SOON)
        return registry.scrape(SOON)

    with ThreadPoolExecutor(scrapers) as pool:
        for _ in range(rounds):
            scrapes = pool.map(scrape, [Registry([Simple(read)])] * scrapers)
            assert all(scrape.failures for scrape in scrapes)
    assert caplog.messages == ["simple: disk on fire"] * rounds
