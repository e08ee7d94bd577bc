from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.databases.blobs import make_blobs
from zope_exporter.collectors.blobs import PRESENT, BlobCollector, BlobLook
from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Process,
    Service,
    Site,
    Storage,
)
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.storage.blobs.scan import BlobScanner

GOLDEN = Path(__file__).with_name("golden") / "blobs.txt"
NOON = 1_780_000_000.0


class Watched:
    """A collector for the storages of one site, scraped when their first walks have ended."""

    def __init__(self, *storages: Storage) -> None:
        client = Database("main", "zeo", blob_dir=Path("/nowhere/blobcache"))
        zope = Service("zope", "client", None, databases=(client,))
        self.storages = list(storages)
        self.scanners: list[BlobScanner] = []
        self.collector = BlobCollector(
            lambda: Inventory((Site("intranet", (zope,), tuple(self.storages)),)), self._scanner
        )

    def _scanner(self, blob_dir: Path, data_fs: Path) -> BlobScanner:
        scanner = BlobScanner(blob_dir, data_fs, clock=lambda: NOON)
        self.scanners.append(scanner)
        return scanner

    def scrape(self) -> Scrape:
        registry = Registry([self.collector])
        registry.scrape(30)
        assert all(scanner.wait(30) for scanner in self.scanners)
        return registry.scrape(30)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    make_blobs(tmp_path / "Data.fs", tmp_path / "blobs", 5)
    watched = Watched(Storage("main", tmp_path / "Data.fs", tmp_path / "blobs"))
    yield watched
    watched.collector.stop()


def test_golden_page(watched: Watched) -> None:
    scrape = watched.scrape()
    samples = [sample for sample in scrape.samples if "_blob_" in sample.metric.name]
    assert scrape.failures == []
    assert encode(samples, "")[0].decode() == GOLDEN.read_text()


def test_nothing_is_said_before_the_first_walk_is_complete(tmp_path: Path) -> None:
    watched = Watched(Storage("main", tmp_path / "Data.fs", tmp_path / "missing"))
    try:
        scrape = watched.scrape()
    finally:
        watched.collector.stop()
    names = [sample.metric.name for sample in scrape.samples if "blob" in sample.metric.name]
    assert names == ["zope_blob_directory_present", "zope_blob_scan_files"]
    [failure] = scrape.failures
    assert str(failure).startswith(f"blobs intranet/main: {tmp_path}/missing cannot be read: No ")


def test_a_storage_without_blobs_and_a_blob_cache_are_not_walked(tmp_path: Path) -> None:
    watched = Watched(Storage("main", tmp_path / "Data.fs"))
    assert [sample.labels for sample in watched.scrape().samples] == [("blobs",)] * 2
    assert watched.scanners == []


def test_a_storage_that_is_gone_is_walked_no_more(watched: Watched) -> None:
    watched.scrape()
    watched.storages.clear()
    scrape = watched.scrape()
    assert [sample.labels for sample in scrape.samples] == [("blobs",)] * 2


def test_nothing_is_walked_for_a_scrape_after_the_end(watched: Watched) -> None:
    watched.collector.stop()
    assert list(watched.collector.parts()) == []
    assert watched.scanners == []


class Recovering(BlobScanner):
    """One whose walk ends well while it is looked at."""

    _problems: ClassVar = [OSError("it could not be read"), None]

    @property
    def problem(self) -> Exception | None:
        return self._problems.pop(0) if len(self._problems) > 1 else self._problems[0]


def test_a_problem_that_goes_away_while_it_is_told_is_told_once(tmp_path: Path) -> None:
    storage = Storage("main", tmp_path / "Data.fs", tmp_path / "blobs")
    (tmp_path / "blobs").mkdir()
    inventory = Inventory((Site("intranet", (), (storage,)),))
    collector = BlobCollector(lambda: inventory, Recovering)
    try:
        [part] = collector.parts()
        with pytest.raises(OSError, match="it could not be read"):
            list(part.collect())
        assert list(part.collect())
    finally:
        collector.stop()


def present(scrape: Scrape) -> list[tuple[tuple[str, ...], float]]:
    return [(s.labels, s.value) for s in scrape.samples if s.metric == PRESENT]


def test_a_directory_that_is_missing_or_not_mounted_is_said_to_be(watched: Watched) -> None:
    [storage] = watched.storages
    assert storage.blob_dir is not None
    assert present(watched.scrape()) == [(("intranet", "main"), 1)]
    storage.blob_dir.rename(storage.blob_dir.with_name("elsewhere"))
    assert present(watched.scrape()) == [(("intranet", "main"), 0)]
    (storage.blob_dir / "lost+found").mkdir(parents=True)  # another disk is mounted there
    assert present(watched.scrape()) == [(("intranet", "main"), 0)]
    (storage.blob_dir / "tmp").mkdir()  # Zope made a new one
    assert present(watched.scrape()) == [(("intranet", "main"), 1)]


@pytest.mark.parametrize("runs", [True, False])
def test_the_directory_of_a_client_counts_while_it_runs(runs: bool, tmp_path: Path) -> None:
    client = Database("main", "zeo", blob_dir=tmp_path / "shared")
    process = Process(1, 0.0) if runs else None
    zope = Service("zope", "client", None, databases=(client,), process=process)
    look = BlobLook(lambda: Inventory((Site("intranet", (zope,)),)))
    scrape = Registry([look]).scrape(30)
    assert scrape.failures == []
    assert present(scrape) == ([(("intranet", "main"), 0)] if runs else [])
    (tmp_path / "shared" / "tmp").mkdir(parents=True)
    assert present(Registry([look]).scrape(30)) == ([(("intranet", "main"), 1)] if runs else [])
