import threading
from pathlib import Path

import pytest

from zope_exporter.collectors.discovery import DiscoveryCollector
from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.discovery.looking import Looking
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).parent / "golden/discovery.txt"


def test_the_page_matches_the_golden_file() -> None:
    found = Inventory((Site("intranet", shared_by="declared"), Site("shop")))
    watcher = Watcher(lambda: found, clock=lambda: 1_795_372_800.0)
    watcher.inventory()
    page, _ = encode(DiscoveryCollector(watcher).collect(), "")
    watcher.stop()
    assert page.decode() == GOLDEN.read_text()


def test_a_search_that_fails_shows_in_the_scrape() -> None:
    def fail() -> Inventory:
        raise OSError("no /proc")

    watcher = Watcher(fail, clock=lambda: 1234.5)
    watcher.inventory()
    scrape = Registry([DiscoveryCollector(watcher)]).scrape(5.0)
    watcher.stop()
    assert [str(failure) for failure in scrape.failures] == ["discovery: no /proc"]
    assert values(scrape) == (0, 1234.5)


@pytest.mark.parametrize(("longest", "success"), [(0.0, 0), (600.0, 1)])
def test_a_first_search_that_does_not_end_shows_in_the_scrape(longest: float, success: int) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def search() -> Inventory:
        entered.set()
        go_on.wait(60)
        return Inventory((Site("intranet"),))

    watcher = Watcher(search, patience=0.0, clock=lambda: 1234.5)
    registry = Registry([DiscoveryCollector(watcher, longest)])
    assert entered.wait(30)
    assert values(registry.scrape(5.0)) == (success, 1234.5)
    go_on.set()
    watcher.rescan(30)
    assert values(registry.scrape(5.0)) == (1, 1234.5)
    watcher.stop()


def test_a_search_that_does_not_end_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    entered, go_on = threading.Event(), threading.Event()
    looking = Looking()

    def search() -> Inventory:
        looking("/srv/shop/var/Z4.pid")
        entered.set()
        go_on.wait(60)
        return Inventory()

    watcher = Watcher(search, patience=0.0, clock=lambda: 1234.5, looking=looking)
    registry = Registry([DiscoveryCollector(watcher, longest=0.0)])
    assert entered.wait(30)
    for _ in range(3):
        registry.scrape(5.0)
    go_on.set()
    watcher.stop()
    (told,) = caplog.messages
    assert "has not ended yet: it looks at /srv/shop/var/Z4.pid; " in told


def test_a_search_that_finds_nothing_is_no_success() -> None:
    watcher = Watcher(Inventory, clock=lambda: 1234.5)
    watcher.rescan(30)
    scrape = Registry([DiscoveryCollector(watcher)]).scrape(5.0)
    watcher.stop()
    [failure] = scrape.failures
    assert "found no running Zope" in failure.reason
    assert values(scrape) == (0, 1234.5)


def values(scrape: Scrape) -> tuple[float, float]:
    """Whether the collector had success, and when the search had."""
    found = {sample.metric.name: sample.value for sample in scrape.samples}
    last = found["zope_discovery_last_success_timestamp_seconds"]
    return found["zope_collector_success"], last
