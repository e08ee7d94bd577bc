import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory

import pytest
from persistent.TimeStamp import TimeStamp

from tests.support.databases import datafs
from tests.support.programs.children import WAIT, as_known, child, lines_until_ready
from zope_exporter.collectors.filestorage import FileStorageCollector
from zope_exporter.discovery.inventory import Inventory, Process, Site, Storage
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.storage.filestorage.format import time_of

GOLDEN = Path(__file__).with_name("golden")

WRITER = """
import sys, time
import transaction, ZODB
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
database = ZODB.DB(storage)
connection = database.open()
root = connection.root()
print("ready", flush=True)
sys.stdin.readline()
class Refusal:
    transaction_manager = transaction.manager
    def tpc_begin(self, _): pass
    commit = tpc_finish = tpc_abort = abort = tpc_begin
    def tpc_vote(self, _): raise ValueError
    def sortKey(self): return "~~~ after the storage has voted"
for number in range(400):
    root[number % 20] = str(number) * (1 + number * 97 % 60_000)
    if number % 5 == 4:
        transaction.get().join(Refusal())
        try:
            transaction.commit()
        except ValueError:
            transaction.abort()
    else:
        transaction.commit()
    if number % 40 == 39:
        database.pack(time.time())
print(storage.lastTransaction().hex())
print("ready", flush=True)
sys.stdin.read()
"""

HOLDER = f"""
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
{WAIT}
"""

UNPRIVILEGED = """
import os, sys
from pathlib import Path
from zope_exporter.collectors.filestorage import FileStorageCollector
from zope_exporter.discovery.inventory import Inventory, Process, Site, Storage
from zope_exporter.metrics.registry import Registry
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
storage = Storage("main", Path(sys.argv[1]), owners=(Process(1, 0.0),))
inventory = Inventory((Site("intranet", storages=(storage,)),))
scrape = Registry([FileStorageCollector(lambda: inventory)]).scrape(30)
print(" ".join(sample.metric.name for sample in scrape.samples))
print(" ".join(str(failure) for failure in scrape.failures))
print("ready")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


class Watched:
    """A collector for one Data.fs, scraped as in service."""

    def __init__(
        self,
        path: Path,
        *owners: Process,
        pause: Callable[[float], object] = lambda _: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        storage = Storage("main", path, owners=owners)
        inventory = Inventory((Site("intranet", storages=(storage,)),))
        now = clock or (lambda: path.stat().st_mtime)
        collector = FileStorageCollector(lambda: inventory, clock=now, pause=pause)
        self._registry = Registry([collector])

    def scrape(self) -> Scrape:
        return self._registry.scrape(60)

    def values(self) -> dict[str, float]:
        scrape = self.scrape()
        assert scrape.failures == []
        return by_name(scrape)

    def failure(self) -> tuple[dict[str, float], str]:
        """What it still gave, and the one failure."""
        scrape = self.scrape()
        (failure,) = scrape.failures
        return by_name(scrape), str(failure)


def by_name(scrape: Scrape) -> dict[str, float]:
    return {
        sample.metric.name.removeprefix("zope_").removeprefix("filestorage_"): sample.value
        for sample in scrape.samples
        if sample.labels == ("intranet", "main")
    }


def seconds(number: int) -> float:
    return float(TimeStamp(datafs.tid(number)).timeTime())


def beside(path: Path, suffix: str, size: int, age: float = 0) -> Path:
    """A file beside the Data.fs, last changed `age` seconds before it."""
    file = path.with_name(path.name + suffix)
    file.write_bytes(b"x" * size)
    modified = path.stat().st_mtime - age
    os.utime(file, (modified, modified))
    return file


def test_golden_page(path: Path) -> None:
    datafs.write(path, 3)
    beside(path, ".old", 1000)
    beside(path, ".tr0", 10)
    masked = [
        sample._replace(value=0) if sample.metric.name.startswith("zope_filesystem") else sample
        for sample in Watched(path).scrape().samples
        if not sample.metric.name.startswith("zope_collector")
    ]
    page, _ = encode(masked, "")
    assert page.decode() == (GOLDEN / "filestorage.txt").read_text()


def test_file_system_room_is_what_zope_may_use(path: Path) -> None:
    datafs.write(path, 1)
    values = Watched(path).values()
    room = os.statvfs(path)
    assert values["filesystem_size_bytes"] == room.f_blocks * room.f_frsize
    assert 0 < values["filesystem_avail_bytes"] <= room.f_bfree * room.f_frsize


def test_empty_storage(path: Path) -> None:
    with datafs.storage_at(path):
        values = Watched(path).values()
    assert values["size_bytes"] == 4
    assert "last_transaction_timestamp_seconds" not in values
    assert values["old_size_bytes"] == values["leftover_bytes"] == values["replaced"] == 0


def test_symbolic_link(path: Path) -> None:
    target = path.with_name("elsewhere") / "real.fs"
    target.parent.mkdir()
    datafs.write(target, 2)
    path.symlink_to(target)
    assert Watched(path).values()["last_transaction_timestamp_seconds"] == seconds(2)
    with child(HOLDER, str(path)) as holder:
        lines_until_ready(holder)
        assert Watched(path, as_known(holder.pid)).values()["replaced"] == 0


def test_live_writer_with_aborts_and_packs(path: Path) -> None:
    with child(WRITER, str(path)) as writer:
        lines_until_ready(writer)
        watched = Watched(path, as_known(writer.pid), pause=threading.Event().wait, clock=time.time)
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
        times = []
        while not select([writer.stdout], [], [], 0)[0]:
            values = watched.values()
            times.append(values["last_transaction_timestamp_seconds"])
            assert values["replaced"] == values["leftover_bytes"] == 0
        (last,) = lines_until_ready(writer)
        times.append(watched.values()["last_transaction_timestamp_seconds"])
    assert len(set(times)) > 10
    assert times == sorted(times)
    assert times[-1] == time_of(bytes.fromhex(last))


def test_pack_has_the_file_away_for_a_moment(path: Path) -> None:
    datafs.write(path, 2)
    away = path.rename(path.with_name("Data.fs.pack"))

    def put_back(_: float) -> None:
        if away.exists():
            away.rename(path)

    values = Watched(path, pause=put_back, clock=lambda: 0).values()
    assert values["last_transaction_timestamp_seconds"] == seconds(2)


def test_commit_in_progress_at_the_first_look(path: Path) -> None:
    datafs.write(path, 2)
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    watched = Watched(path, pause=lambda _: path.write_bytes(content))
    assert watched.values()["last_transaction_timestamp_seconds"] == seconds(2)


def test_commit_in_progress_later_on(path: Path) -> None:
    ends = datafs.write(path, 2)
    content = path.read_bytes()
    path.write_bytes(content[: ends[0]])
    watched = Watched(path)
    assert watched.values()["last_transaction_timestamp_seconds"] == seconds(1)
    path.write_bytes(content[:-5])
    assert watched.values()["last_transaction_timestamp_seconds"] == seconds(1)
    path.write_bytes(content)
    assert watched.values()["last_transaction_timestamp_seconds"] == seconds(2)


def test_cut_off_file_is_a_failure_even_if_its_last_commit_is_known(path: Path) -> None:
    datafs.write(path, 2)
    late = path.stat().st_mtime + 3600
    watched = Watched(path, clock=lambda: late)
    watched.values()
    modified = path.stat().st_mtime
    path.write_bytes(path.read_bytes() + b"half a transaction")
    os.utime(path, (modified, modified))
    values, failure = watched.failure()
    assert values["last_transaction_timestamp_seconds"] == seconds(2)
    assert str(path) in failure
    assert "fstest" in failure
    values, failure = Watched(path).failure()
    assert "last_transaction_timestamp_seconds" not in values
    assert values["size_bytes"] == path.stat().st_size
    assert values["replaced"] == 0


@pytest.mark.parametrize(
    ("there", "rescue"),
    [
        ((".pack", ".old"), "rename Data.fs.pack back to Data.fs"),
        ((".old",), "restore a backup, or Data.fs.old"),
        ((".pack",), "restore a backup, unless this site is new"),
        ((), "restore a backup, unless this site is new"),
    ],
)
def test_missing_file_is_a_failure_that_tells_the_rescue(
    path: Path, there: tuple[str, ...], rescue: str
) -> None:
    for suffix in there:
        path.with_name(path.name + suffix).touch()
    values, failure = Watched(path, clock=lambda: 0).failure()
    assert set(values) == {"filesystem_avail_bytes", "filesystem_size_bytes"}
    assert f"{path} is missing. Do not start or stop anything yet" in failure
    assert rescue in failure


def test_missing_directory(tmp_path: Path) -> None:
    directory = tmp_path / "not-mounted"
    values, failure = Watched(directory / "Data.fs", clock=lambda: 0).failure()
    assert values == {}
    assert f"{directory}, the directory of the Data.fs" in failure


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_at_once(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    values, failure = Watched(path).failure()
    assert set(values) == {"filesystem_avail_bytes", "filesystem_size_bytes"}
    assert f"{path} is not a regular file" in failure


@pytest.mark.parametrize("content", [b"", b"FS", b"FS99", b"SQLite format 3\0" + b"\0" * 100])
def test_other_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    values, failure = Watched(path).failure()
    assert values["size_bytes"] == len(content)
    assert f"{path} does not begin with FS21 or FS30" in failure


def test_leftovers(path: Path) -> None:
    datafs.write(path, 1)
    beside(path, ".tr0", 1)
    beside(path, ".tr12", 20)
    beside(path, ".pack", 300, age=3601)
    beside(path, ".index.index_tmp", 4000, age=3601)
    for suffix in (".old", ".tmp", ".trash", ".tr", "2.tr0", ".2026-01-01"):
        beside(path, suffix, 50000, age=3601)
    (path.parent / "Data.fs.tr1").mkdir()
    assert Watched(path).values()["leftover_bytes"] == 4321


@pytest.mark.parametrize(("age", "expected"), [(3599, 0), (3601, 100)])
def test_pack_file_of_unknown_holders_counts_after_an_hour(
    path: Path, age: float, expected: int
) -> None:
    datafs.write(path, 1)
    beside(path, ".pack", 100, age)
    assert Watched(path).values()["leftover_bytes"] == expected


@pytest.mark.parametrize(("age", "expected"), [(59, 0), (61, 100)])
def test_pack_file_the_owner_does_not_hold_counts_after_a_minute(
    path: Path, age: float, expected: int
) -> None:
    datafs.write(path, 1)
    beside(path, ".pack", 100, age)
    assert Watched(path, as_known(os.getpid())).values()["leftover_bytes"] == expected


def test_pack_file_the_owner_holds_never_counts(path: Path) -> None:
    datafs.write(path, 1)
    with beside(path, ".pack", 100, age=99999).open("r+b"):
        assert Watched(path, as_known(os.getpid())).values()["leftover_bytes"] == 0


@pytest.fixture
def holder(path: Path) -> Iterator[Process]:
    datafs.write(path, 2)
    with child(HOLDER, str(path)) as running:
        lines_until_ready(running)
        yield as_known(running.pid)


def replace_by_a_copy(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def replace_and_keep(path: Path, name: str) -> None:
    content = path.read_bytes()
    path.rename(path.with_name(name))
    path.write_bytes(content)


def pack_by_a_second_opener(path: Path) -> None:
    path.with_name("Data.fs.lock").unlink()
    replace_and_keep(path, "Data.fs.old")


@pytest.mark.parametrize(
    "replace",
    [
        replace_by_a_copy,
        lambda path: replace_and_keep(path, "Data.fs.bak"),
        pack_by_a_second_opener,
    ],
)
def test_owner_of_a_replaced_file(
    path: Path, holder: Process, replace: Callable[[Path], None]
) -> None:
    watched = Watched(path, holder)
    assert watched.values()["replaced"] == 0
    replace(path)
    assert watched.values()["replaced"] == 1


def test_owner_caught_in_the_middle_of_a_pack(path: Path, holder: Process) -> None:
    kept = path.with_name("kept")
    replace_and_keep(path, kept.name)
    watched = Watched(path, holder, pause=lambda _: kept.rename(path))
    assert watched.values()["replaced"] == 0


def test_owner_of_a_replaced_file_may_read_the_new_one(path: Path) -> None:
    datafs.write(path, 1)
    with path.with_name("Data.fs.lock").open("r+b"), path.open("r+b"):
        replace_by_a_copy(path)
        with path.open("rb"):
            assert Watched(path, as_known(os.getpid())).values()["replaced"] == 1


def test_readers_and_the_dead_do_not_count(path: Path) -> None:
    datafs.write(path, 1)
    with child(WAIT) as running:
        lines_until_ready(running)
        dead = as_known(running.pid)
    with path.open("rb"):
        replace_by_a_copy(path)
        assert Watched(path, as_known(os.getpid()), dead).values()["replaced"] == 0


@pytest.mark.skipif(
    Path("/proc/1").stat().st_uid == os.geteuid() != 0, reason="process 1 is our own"
)
def test_what_rights_are_missing() -> None:
    with TemporaryDirectory() as directory:  # tmp_path is in a directory closed to other users
        path = Path(directory, "Data.fs")
        datafs.write(path, 1)
        path.chmod(0)
        path.parent.chmod(0o755)
        with child(UNPRIVILEGED, str(path)) as running:
            names, failures = lines_until_ready(running)
    assert set(names.split()) == {
        "zope_filesystem_avail_bytes",
        "zope_filesystem_size_bytes",
        "zope_filestorage_size_bytes",
        "zope_filestorage_old_size_bytes",
        "zope_filestorage_leftover_bytes",
        "zope_collector_success",
        "zope_collector_duration_seconds",
    }
    assert failures.startswith(f"filestorage intranet/main: {path} cannot be read: Permission")
    assert "run the exporter as the user of Zope or ZEO" in failures
    assert "process 1 has open cannot be seen" in failures
    assert "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH" in failures


def test_storages_fail_one_by_one(tmp_path: Path) -> None:
    datafs.write(tmp_path / "good.fs", 1)
    storages = tuple(Storage(name, tmp_path / f"{name}.fs") for name in ("good", "missing"))
    inventory = Inventory((Site("intranet", storages=storages),))
    collector = FileStorageCollector(lambda: inventory, pause=lambda _: None)
    found = Registry([collector]).scrape(60)
    assert [failure.source for failure in found.failures] == [("intranet", "missing")]
    assert ("intranet", "good") in {sample.labels for sample in found.samples}
