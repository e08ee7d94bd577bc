"""What is written by class, as a scrape tells it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.history import record
from tests.support.databases.written import Writer
from tests.support.programs.exporter import serving
from zope_exporter.collectors.growth import GrowthCollector
from zope_exporter.discovery.inventory import Inventory, Site, Storage
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden") / "growth.txt"
NOW = 1_760_000_000.0
ITEM, SESSION = record(500, [], "products.news Item"), record(70, [], "Products.Transience T")
BYTES = "zope_filestorage_written_bytes_total"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with datafs.storage_at(path) as storage:
        writer = Writer(storage)
        writer.commit(NOW, "/import", "jane", [ITEM] * 3)
        yield writer


class Watched:
    """A collector for the same Data.fs in two sites."""

    def __init__(self, path: Path, state: Path | None = None) -> None:
        self.storages = (Storage("main", path),)
        sites = (Site("intranet", storages=self.storages), Site("other", storages=self.storages))
        self.inventory = Inventory(sites)
        self.collector = GrowthCollector(lambda: self.inventory, state)
        self._registry = Registry([self.collector])

    def scrape(self) -> Scrape:
        return self._registry.scrape(30)

    def values(self, site: str = "intranet") -> dict[str, float]:
        return {
            each.labels[2]: each.value
            for each in self.scrape().samples
            if each.metric.name == BYTES and each.labels[0] == site
        }


def test_golden_page(path: Path, writer: Writer) -> None:
    watched = Watched(path)
    watched.scrape()
    writer.commit(NOW + 1, "/edit", "jane", [ITEM, SESSION])
    samples = [each for each in watched.scrape().samples if "_written_" in each.metric.name]
    page, _ = encode([each for each in samples if each.labels[0] == "intranet"], "")
    assert page.decode() == GOLDEN.read_text()


def test_all_classes_together_are_what_was_appended(path: Path, writer: Writer) -> None:
    watched = Watched(path)
    assert watched.values() == {"products.news.Item": 0, "other": 0}
    appended = writer.commit(NOW + 1, "/edit", "jane", [SESSION, b"encrypted", ITEM])
    for site in ("intranet", "other"):
        assert sum(watched.values(site).values()) == appended


def test_it_goes_on_after_a_restart(tmp_path: Path, path: Path, writer: Writer) -> None:
    watched = Watched(path, tmp_path / "state")
    watched.scrape()
    appended = writer.commit(NOW + 1, "/edit", "jane", [ITEM])
    watched.scrape()
    watched.collector.stop()
    appended += writer.commit(NOW + 2, "/edit", "jane", [SESSION])
    assert sum(Watched(path, tmp_path / "state").values().values()) == appended


def test_a_file_that_cannot_be_read_is_a_failure_of_its_own(tmp_path: Path, path: Path) -> None:
    watched = Watched(tmp_path / "missing.fs")
    assert watched.values() == {}
    [failure, _] = watched.scrape().failures
    assert "missing.fs is missing" in str(failure)
    datafs.write(path, 1)
    watched.inventory = Inventory((Site("intranet", storages=(Storage("main", path),)),))
    assert watched.values() == {"other": 0}


def test_what_was_written_since_is_known_by_file(path: Path, writer: Writer) -> None:
    watched = Watched(path)
    assert watched.collector.since(path, 0) is None
    watched.scrape()
    growth = watched.collector.since(path, NOW)
    assert growth is not None
    assert growth.bytes == writer.storage.getSize() - 4
    assert "user" not in growth.rankings


def test_users_and_paths_are_on_no_page(tmp_path: Path, path: Path, writer: Writer) -> None:
    config = tmp_path / "config.yml"
    config.write_text(
        f"discover: false\nsites:\n  - {{name: intranet, instances: [{{data_fs: {path}}}]}}\n"
    )
    flags = "--config.file", config
    with serving(tmp_path, *flags, log=tmp_path / "log") as exporter:
        exporter.page()
        appended = writer.commit(NOW + 1, "/secret-path", "secret-user", [ITEM])
        page = exporter.page()
        assert sum(page[BYTES].values()) == appended
        assert "secret" not in str(page)
