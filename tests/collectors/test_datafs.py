import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from persistent.TimeStamp import TimeStamp
from ZODB.serialize import referencesf

from tests.support.databases import datafs
from tests.support.databases.history import LATER, History, write_large, zodb_numbers
from tests.support.programs.exporter import Page, serving
from tests.support.programs.processes import eventually
from tests.support.programs.server import free_port
from zope_exporter.collectors.datafs import (
    FUTURE_SECONDS,
    GARBAGE,
    DataFsCollector,
    KeptDataFsCollector,
)
from zope_exporter.discovery.inventory import Inventory, Site, Storage
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.storage.filestorage.state import Store

SCRAPERS = 8
FIRST = ("/-/healthy", *["/metrics"] * 7)
GOLDEN = Path(__file__).with_name("golden")
PATIENCE = 30.0
SCANNED = "scan_timestamp_seconds"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 21, [1]), (1, 100, []), (2, 200, []), (3, 300, [])])
        history.store([(1, 50, [])])
        history.undo([0])
        history.delete(2)
    return path


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., "Watched"]]:
    with ExitStack() as ending:

        def start(*paths: Path, keep: bool = True) -> Watched:
            return ending.enter_context(Watched(paths, tmp_path / "state" if keep else None))

        yield start


class Watched:
    """A collector as in service, for one or more Data.fs, each mounted by two sites."""

    def __init__(
        self,
        paths: tuple[Path, ...],
        state: Path | None,
        inventory: Inventory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        storages = tuple(Storage(path.stem, path) for path in paths)
        self.inventory = inventory or Inventory((Site("intranet", storages=storages),))
        self.collector = DataFsCollector(lambda: self.inventory, state, clock=clock)
        self._registry = Registry([self.collector])

    def __enter__(self) -> "Watched":
        self.collector.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.collector.stop()

    def scrape(self) -> Scrape:
        return self._registry.scrape(PATIENCE)

    def values(self, database: str = "Data") -> dict[str, float]:
        scrape = self.scrape()
        assert scrape.failures == []
        return by_name(scrape, database)

    def scanned(self, database: str = "Data") -> dict[str, float]:
        """The values once a scan is complete."""
        ended = threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            values = self.values(database)
            if SCANNED in values and values["scan_progress_ratio"] == 1:
                return values
            ended.wait(0.05)
        raise AssertionError("no scan has come to its end")


def by_name(scrape: Scrape, database: str = "Data") -> dict[str, float]:
    return {
        " ".join([sample.metric.name.removeprefix("zope_filestorage_"), *sample.labels[2:]]): (
            sample.value
        )
        for sample in scrape.samples
        if sample.labels[:2] == ("intranet", database)
    }


def test_golden_page(path: Path, watch: Callable[..., Watched]) -> None:
    with datafs.storage_at(path) as storage:
        storage.pack(LATER, referencesf, gc=False)
    path.with_name("Data.fs.old").unlink()
    watched = watch(path)
    watched.scanned()
    samples = [
        sample._replace(value=0) if SCANNED in sample.metric.name else sample
        for sample in watched.scrape().samples
        if not sample.metric.name.startswith("zope_collector")
    ]
    page, _ = encode(samples, "")
    assert page.decode() == (GOLDEN / "datafs.txt").read_text()


def test_what_is_not_known_yet_is_absent(path: Path, watch: Callable[..., Watched]) -> None:
    watched = watch(path)
    [part] = watched.collector.parts()
    watched.collector.stop()
    names = {sample.metric.name for sample in part.collect()}
    assert "zope_filestorage_scan_progress_ratio" in names
    values = watched.values()
    assert not {"class_bytes other", "garbage_bytes unreachable", SCANNED} & set(values)
    assert "last_pack_timestamp_seconds" not in values


def test_with_a_transaction_of_the_future_garbage_is_not_told(path: Path) -> None:
    last = TimeStamp(datafs.tid(4)).timeTime()
    storages = (Storage("main", path), Storage("demo", path, over_base=True))
    inventory = Inventory((Site("intranet", storages=storages),))
    told = []
    for now in (last, last - FUTURE_SECONDS - 1):
        watched = Watched((), None, inventory, partial(float, now))
        with watched:
            watched.scanned("main")
            watched.scanned("demo")
            samples = watched.scrape().samples
        told.append({each.labels for each in samples if each.metric == GARBAGE})
    assert told == [
        {
            ("intranet", "main", "superseded"),
            ("intranet", "main", "unreachable"),
            ("intranet", "demo", "superseded"),
        },
        set(),
    ]


def test_numbers(path: Path, watch: Callable[..., Watched]) -> None:
    expected = zodb_numbers(path)
    values = watch(path).scanned()
    assert values["objects"] == expected.objects
    assert values["transactions_total"] == expected.transactions == 4
    assert values["garbage_bytes superseded"] == expected.superseded
    assert values["garbage_bytes unreachable"] > 300
    assert "last_pack_timestamp_seconds" not in values


def test_restart_has_all_values_at_once(path: Path, watch: Callable[..., Watched]) -> None:
    values = watch(path).scanned()
    with datafs.storage_at(path) as storage:
        History(storage, number=10).store([(1, 10, [])])
    again = watch(path).values()
    assert set(again) == set(values)
    assert again["transactions_total"] == values["transactions_total"] + 1


def test_works_without_a_state_file(path: Path, watch: Callable[..., Watched]) -> None:
    assert watch(path, keep=False).scanned()["transactions_total"] == 4


def test_last_pack(path: Path, watch: Callable[..., Watched]) -> None:
    with datafs.storage_at(path) as storage:
        storage.pack(LATER, referencesf, gc=False)
        History(storage, number=10).store([(1, 10, [])])
    old = path.with_name("Data.fs.old")
    packed = old.stat().st_ctime
    assert watch(path).scanned()["last_pack_timestamp_seconds"] == pytest.approx(packed)
    old.unlink()
    last_packed = TimeStamp(datafs.tid(3)).timeTime()
    assert watch(path).scanned()["last_pack_timestamp_seconds"] == last_packed


def test_several_databases(tmp_path: Path, path: Path, watch: Callable[..., Watched]) -> None:
    other, missing = tmp_path / "Catalog.fs", tmp_path / "Missing.fs"
    datafs.write(other, 7)
    watched = watch(path, other)
    assert watched.scanned("Data")["transactions_total"] == 4
    assert watched.scanned("Catalog")["transactions_total"] == 7
    storages = (Storage("Missing", missing), *watched.inventory.sites[0].storages)
    watched.inventory = Inventory((Site("intranet", storages=storages),))
    scrape = watched.scrape()
    assert by_name(scrape, "Catalog")["transactions_total"] == 7
    assert by_name(scrape, "Missing") == {}
    [failure] = scrape.failures
    assert f"{missing} is missing" in str(failure)


def test_damaged_file(path: Path, watch: Callable[..., Watched]) -> None:
    watched = watch(path)
    values = watched.scanned()
    with path.open("ab") as file:
        file.write(b"\xff" * 8 + (52).to_bytes(8, "big") + b"?" + bytes(43))
    scrape = watched.scrape()
    [failure] = scrape.failures
    assert f"{path} is damaged at byte" in str(failure)
    assert "fstest" in str(failure)
    found = by_name(scrape)
    assert found["transactions_total"] == values["transactions_total"]


def test_other_file(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    path = tmp_path / "Data.fs"
    path.write_bytes(b"SQLite format 3\0" * 10)
    [failure] = watch(path).scrape().failures
    assert f"{path} does not begin with FS21 or FS30" in str(failure)


def test_what_was_kept_is_told_without_a_look_until_the_file_is_another(
    tmp_path: Path, path: Path, watch: Callable[..., Watched]
) -> None:
    watched = watch(path)
    values = watched.scanned()
    watched.collector.stop()
    inventory = watched.inventory
    collector = KeptDataFsCollector(lambda: inventory, tmp_path / "state")
    kept = {sample.metric.name: sample.value for sample in collector.collect()}
    assert kept["zope_filestorage_objects"] == values["objects"]
    assert "zope_filestorage_garbage_bytes" in kept
    path.rename(path.with_name("before"))
    path.write_bytes(path.with_name("before").read_bytes())
    assert list(collector.collect()) == []
    assert list(KeptDataFsCollector(lambda: inventory, None).collect()) == []


@pytest.mark.parametrize(("days", "kept"), [(29, True), (31, False)])
def test_what_is_kept_of_a_data_fs_that_is_gone_for_long_is_removed(
    tmp_path: Path, path: Path, watch: Callable[..., Watched], days: int, kept: bool
) -> None:
    """As of the container of before, which had it at another path."""
    watched = watch(path)
    watched.scanned()
    watched.collector.stop()
    written = time.time() - days * 86400
    state, alien = tmp_path / "state", tmp_path / "filestorage/notes.txt"
    alien.touch()
    for file in alien.parent.iterdir():
        os.utime(file, (written, written))
    assert Store(state, path).load().totals is not None
    other = tmp_path / "Other.fs"
    other.write_bytes(path.read_bytes())
    watch(other).scanned("Other")  # which is when its count is kept
    known = Store(state, path).load()
    assert (known.totals is not None, known.counted is not None) == (kept, kept)
    assert Store(state, other).load().counted is not None
    assert alien.exists()


def at_once(work: Callable[[], object]) -> list[object]:
    """What `work` gives to several threads that begin it in the same moment."""
    together = threading.Barrier(SCRAPERS)

    def begin(_: int) -> object:
        together.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(SCRAPERS) as pool:
        return list(pool.map(begin, range(SCRAPERS)))


def scanning() -> int:
    return [thread.name for thread in threading.enumerate()].count("scan Data.fs")


def test_first_scrapes_in_one_moment_share_one_scan(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    write_large(path)
    before = scanning()
    for number in range(5):  # more of them, as the moment is a short one
        with Watched((path,), tmp_path / f"state{number}") as watched:
            at_once(watched.scrape)
            assert scanning() == before + 1
            if number:
                continue
            values = watched.scanned()
            assert values["objects"] == 30_000
            assert values["garbage_bytes unreachable"] > 0


def test_scrapes_as_soon_as_the_exporter_listens_find_everything(tmp_path: Path) -> None:
    data_fs, conf, port = tmp_path / "Data.fs", tmp_path / "zope.conf", free_port()
    write_large(data_fs)
    conf.write_text(
        f"instancehome {tmp_path}\n<zodb_db main>\n  mount-point /\n"
        f"  <filestorage>\n    path {data_fs}\n  </filestorage>\n</zodb_db>\n"
    )
    config = tmp_path / "config.yml"
    config.write_text(
        f"discover: false\nsites: [{{name: intranet, instances: [{{zope_conf: {conf}}}]}}]\n"
    )
    of = {("site", "intranet"), ("database", "main")}
    unreachable = frozenset({*of, ("kind", "unreachable")})
    listen = ("--web.listen-address", f"127.0.0.1:{port}")
    with ThreadPoolExecutor(SCRAPERS) as pool:
        first = [pool.submit(scrape_at_once, port, path) for path in FIRST]
        with serving(tmp_path, "--config.file", config, *listen, log=tmp_path / "log") as exporter:
            assert {answer.result().status_code for answer in first} == {200}

            def complete() -> Page | None:
                page = exporter.page()
                assert page["zope_collector_success"][frozenset({("collector", "datafs")})] == 1
                found = unreachable in page.get("zope_filestorage_garbage_bytes", {})
                return page if found else None

            page = eventually(complete)
    assert page is not None
    assert page["zope_filestorage_objects"][frozenset(of)] == 30_000
    assert page["zope_filestorage_class_bytes"]
    assert frozenset(of) in page["zope_filestorage_scan_timestamp_seconds"]


def scrape_at_once(port: int, path: str) -> httpx.Response:
    """The answer to who is there before the exporter, and asks as soon as it listens."""

    def ask() -> httpx.Response | None:
        with suppress(httpx.ConnectError):
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE, trust_env=False)
        return None

    answer = eventually(ask)
    assert answer is not None
    return answer
