import logging
from collections.abc import Iterator

import pytest

from tests.support.programs.processes import eventually
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.web.status.history import History
from zope_exporter.web.status.last_scrape import LastScrape

COUNT = Metric("zope_count", "gauge", "Count.")


class Counting:
    name = "counting"
    metrics = (COUNT,)

    def __init__(self) -> None:
        self.count = 0

    def collect(self) -> Iterator[Sample]:
        self.count += 1
        yield COUNT(self.count)


class Broken(Registry):
    """Fails some times, each with other words, and then works."""

    failures = 3

    def scrape(self, timeout: float) -> Scrape:
        if self.failures:
            self.failures -= 1
            raise OSError(f"no thread to be had, {self.failures} more times")
        return super().scrape(timeout)


@pytest.fixture
def counting() -> Counting:
    return Counting()


def observer(registry: Registry, interval: float = 30.0) -> LastScrape:
    return LastScrape(registry, lambda: Inventory(problems=("seen",)), History([COUNT]), interval)


def test_a_scrape_is_remembered(counting: Counting) -> None:
    watching = observer(Registry([counting]))
    assert watching.latest is None
    scrape = watching.scrape(5.0)
    assert watching.latest is not None
    assert watching.latest.scrape is scrape
    assert watching.latest.inventory.problems == ("seen",)
    assert watching.history.course(COUNT, ())[-1] == 1


def test_it_looks_for_itself_when_nobody_does(counting: Counting) -> None:
    watching = observer(Registry([counting]), interval=0.05)
    watching.start()
    try:
        eventually(lambda: counting.count >= 3)
    finally:
        watching.stop()


def test_it_takes_no_look_beside_a_prometheus(counting: Counting) -> None:
    watching = observer(Registry([counting]), interval=3600.0)
    watching.scrape(5.0)
    watching.start()
    watching.stop()
    assert counting.count == 1


def test_failures_do_not_end_it_and_are_told_once(
    counting: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    watching = observer(Broken([counting]), interval=0.05)
    with caplog.at_level(logging.INFO):
        watching.start()
        try:
            eventually(lambda: counting.count >= 3)
        finally:
            watching.stop()
    assert caplog.messages == [
        f"the scrapes for the status page {it}" for it in ("fail", "work again")
    ]
    assert "no thread to be had, 2 more times" in caplog.text
