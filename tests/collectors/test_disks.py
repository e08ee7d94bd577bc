"""Each file system is told once, under the name it has for those that use it."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zope_exporter.collectors import disks
from zope_exporter.collectors.disks import DisksCollector
from zope_exporter.config.actions import BackupConfig
from zope_exporter.discovery.inventory import Inventory, Site, Storage
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.maintenance.actions.databases import BackupPlan
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")
# Of a disk of 4,000 blocks of 512 bytes 100 are left, of its 1,000 inodes 20.
ROOM = os.statvfs_result((4096, 512, 4000, 200, 100, 1000, 30, 20, 0, 255))


class Host:
    """One database, its blobs, a log and a repository of each site."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.sites = ["intranet"]
        self.logs = top / "log"
        self.backups = top / "backups"
        self.statvfs: Callable[[Path], os.statvfs_result] = lambda _: ROOM
        for directory in ("blobs", "log", "backups"):
            (top / directory).mkdir()
        self._registry = Registry(
            [DisksCollector(self.inventory, self._logs, self._plans, self._asked)]
        )

    @property
    def storage(self) -> Storage:
        return Storage("main", self.top / "Data.fs", self.top / "blobs")

    def inventory(self) -> Inventory:
        return Inventory(tuple(Site(name, storages=(self.storage,)) for name in self.sites))

    def _logs(self) -> list[LogSource]:
        return [LogSource(site, "z-event", self.logs / "Z4.log", "event") for site in self.sites]

    def _asked(self, path: Path) -> os.statvfs_result:
        return self.statvfs(path)

    def _plans(self) -> list[BackupPlan]:
        settings = BackupConfig(repository=self.backups)
        return [
            BackupPlan(site, "main", self.storage, self.backups, settings) for site in self.sites
        ]

    def scrape(self, timeout: float = 30) -> Scrape:
        return self._registry.scrape(timeout)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def of(scrape: Scrape, metric: Metric) -> list[tuple[str, ...]]:
    assert scrape.failures == []
    return sorted(sample.labels for sample in scrape.samples if sample.metric == metric)


def holds(scrape: Scrape) -> list[tuple[str, ...]]:
    return [(site, what) for _, site, what in of(scrape, disks.HOLDS)]


def mountpoint(path: Path) -> str:
    while not path.is_mount():
        path = path.parent
    return str(path)


def test_golden_page(host: Host) -> None:
    scrape = host.scrape()
    samples = [sample for sample in scrape.samples if sample.metric in DisksCollector.metrics]
    page = encode(sorted(samples, key=lambda sample: (sample.metric.name, sample.labels)), "")[0]
    text = page.decode().replace(f'mountpoint="{mountpoint(host.top)}"', 'mountpoint="/srv"')
    assert text == (GOLDEN / "disks.txt").read_text()
    assert scrape.failures == []


def test_a_disk_that_all_share_is_told_once(host: Host) -> None:
    host.sites = ["intranet", "extranet"]
    for _ in range(3):
        scrape = host.scrape()
        assert len(of(scrape, disks.AVAILABLE)) == len(of(scrape, disks.INODES)) == 1
        assert holds(scrape) == [
            (site, what)
            for site in ("extranet", "intranet")
            for what in ("backups", "blobs", "database", "logs")
        ]


def test_logs_on_a_disk_of_their_own(host: Host, other_disk: Path) -> None:
    host.logs = other_disk
    scrape = host.scrape()
    assert of(scrape, disks.AVAILABLE) == sorted([(mountpoint(host.top),), ("/dev/shm",)])
    assert ("/dev/shm", "intranet", "logs") in of(scrape, disks.HOLDS)


def test_what_is_not_there_is_told_by_others_and_keeps_no_disk_silent(host: Host) -> None:
    host.sites = ["intranet", "extranet"]
    host.scrape()
    (host.top / "blobs").rmdir()
    host.backups = host.top / "unmounted"
    scrape = host.scrape()
    assert holds(scrape) == [
        (site, what) for site in ("extranet", "intranet") for what in ("database", "logs")
    ]
    assert len(of(scrape, disks.AVAILABLE)) == 1


def test_another_place_tells_when_the_first_is_gone_or_moved(host: Host, other_disk: Path) -> None:
    host.scrape()
    host.top, host.sites = other_disk, ["archive"]  # and logs and backups where they were
    (other_disk / "blobs").mkdir()
    host.scrape()
    scrape = host.scrape()
    assert len(of(scrape, disks.AVAILABLE)) == 2
    assert ("archive", "database") in holds(scrape)


def test_a_file_system_without_a_fixed_number_of_inodes(host: Host) -> None:
    host.statvfs = lambda _: os.statvfs_result((4096, 512, 4000, 200, 100, 0, 0, 0, 0, 255))
    scrape = host.scrape()
    assert of(scrape, disks.INODES) == of(scrape, disks.INODES_FREE) == []
    assert len(of(scrape, disks.SIZE)) == 1


def test_one_that_hangs_silences_only_itself(host: Host, other_disk: Path) -> None:
    host.logs = other_disk
    end = threading.Event()

    def hanging(path: Path) -> os.statvfs_result:
        if path == other_disk:
            end.wait(30)
        return ROOM

    host.statvfs = hanging
    scrape = host.scrape(timeout=1)
    end.set()
    [failure] = scrape.failures
    assert str(failure).startswith(f"disks intranet/logs/{other_disk}: no answer in time")
    told = [sample.labels for sample in scrape.samples if sample.metric == disks.AVAILABLE]
    assert told == [(mountpoint(host.top),)]


def test_a_disk_is_named_as_in_the_container_that_has_it(host: Host) -> None:
    host.top = Path(f"/proc/{os.getpid()}/root", *host.top.parts[1:])
    assert of(host.scrape(), disks.AVAILABLE) == [(mountpoint(host.backups),)]


def test_an_error_of_the_disk_is_said(host: Host) -> None:
    def failing(_: Path) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    host.statvfs = failing
    assert "Input/output error" in str(host.scrape().failures[0])
