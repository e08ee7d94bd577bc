from pathlib import Path

from zope_exporter.collectors.discovery import DiscoveryCollector
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.exposition import encode
from zope_exporter.inventory import Inventory
from zope_exporter.registry import Registry

GOLDEN = Path(__file__).parent / "golden/discovery.txt"


def test_the_page_matches_the_golden_file() -> None:
    watcher = Watcher(Inventory, clock=lambda: 1_795_372_800.0)
    watcher.inventory()
    page, _ = encode(DiscoveryCollector(watcher).collect(), "")
    watcher.stop()
    assert page.decode() == GOLDEN.read_text()


def test_a_search_that_fails_shows_in_the_scrape() -> None:
    def fail() -> Inventory:
        raise OSError("no /proc")

    watcher = Watcher(fail)
    watcher.inventory()
    scrape = Registry([DiscoveryCollector(watcher)]).scrape(5.0)
    watcher.stop()
    assert [str(failure) for failure in scrape.failures] == ["discovery: no /proc"]
    assert "zope_discovery_last_success_timestamp_seconds" not in {
        sample.metric.name for sample in scrape.samples
    }
