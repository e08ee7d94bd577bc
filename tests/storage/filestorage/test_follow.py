"""Following a Data.fs that is written, packed and undone meanwhile, over our own ends too."""

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from select import select

import pytest
from ZODB.serialize import referencesf

from tests.support.databases import datafs
from tests.support.databases.counting import numbers, scanned
from tests.support.databases.history import LATER, History, zodb_numbers
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.storage.filestorage.datafile import DataFileMissingError, TornTailError
from zope_exporter.storage.filestorage.follow import LOOK_BYTES, TORN_SECONDS, Followed
from zope_exporter.storage.filestorage.reader import DamagedError
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Known, Store

WRITER = """
import random, sys, logging
from pathlib import Path
logging.disable(50)
from tests.support.databases import datafs
from tests.support.databases.history import History, LATER
from ZODB.serialize import referencesf
dice = random.Random(int(sys.argv[2]))
with datafs.storage_at(Path(sys.argv[1])) as storage:
    history = History(storage, int(sys.argv[3]))
    history.store([(0, 5, list(range(10)))] + [(oid, 50, []) for oid in range(1, 10)])
    commits = 1
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(300):
        before = storage.lastTransaction()
        what = dice.random()
        if what < 0.7:
            history.store([(dice.randrange(1, 30), int(dice.random() ** 6 * 200_000), [])])
        elif what < 0.8:
            history.undo([dice.randrange(3)])
        elif what < 0.95:
            history.abort(dice.randrange(1, 10))
        else:
            storage.pack(LATER if what < 0.98 else 1e9, referencesf)
        commits += storage.lastTransaction() > before
    history.store([(0, 5, list(range(10)))])
    print(commits + 1)
    print("ready", flush=True)
    sys.stdin.read()
"""

READER = """
import sys
from pathlib import Path
from zope_exporter.storage.filestorage.datafile import DataFileMissingError
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Store
path, state = map(Path, sys.argv[1:])
followed = Followed(path, Store(state, path))
rescan = Rescan(followed)
while True:
    try:
        known, problems = followed.look()
    except DataFileMissingError:
        continue
    if known.counted is not None:
        print(known.counted.transactions, flush=True)
    for _ in range(3):
        rescan.step()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


class Reader:
    """One run of the exporter, as far as a Data.fs goes."""

    def __init__(
        self, path: Path, state: Path | None = None, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.followed = Followed(path, Store(state, path) if state else None, clock)
        self.rescan = Rescan(self.followed, clock)

    def known(self) -> Known:
        """What a scrape finds, in good order."""
        known, problems = self.followed.look()
        assert problems == []
        return known

    def scan(self) -> Known:
        """What a scrape finds after the scans that are due."""
        self.known()
        while self.rescan.step():
            pass
        assert self.rescan.problem is None
        return self.known()

    def problem(self) -> Exception:
        [problem] = self.followed.look()[1]
        return problem


def counted(known: Known) -> int:
    assert known.counted is not None
    return known.counted.transactions


def agrees(known: Known, path: Path) -> bool:
    assert known.totals is not None
    return numbers(known.totals) == zodb_numbers(path)


def test_nothing_is_known_before_the_first_scan(path: Path) -> None:
    datafs.write(path, 3)
    reader = Reader(path)
    known = reader.known()
    assert (known.counted, known.totals, known.findings) == (None, None, None)
    assert reader.rescan.progress == 0
    known = reader.scan()
    assert counted(known) == 3
    assert known.findings is not None
    assert reader.rescan.progress == 1
    assert agrees(known, path)


def test_commits_are_counted_as_they_come(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 5, [])])
        reader = Reader(path)
        reader.scan()
        for number in range(2, 30):
            history.store([(number % 5, number, [])])
            known = reader.known()
            assert counted(known) == number
            assert agrees(known, path)
        history.undo([0])
        history.delete(3)
        history.empty()
        known = reader.known()
        assert counted(known) == 32
        assert agrees(known, path)


def test_vote_is_not_a_commit(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1)
        reader = Reader(path)
        before = reader.scan()
        transaction = datafs.vote(storage, 2)
        assert reader.known() == before
        storage.tpc_abort(transaction)
        assert reader.known() == before
        transaction = datafs.vote(storage, 3, b"other data")
        assert reader.known() == before
        storage.tpc_finish(transaction)
        assert counted(reader.known()) == 2


def test_pack_does_not_count(path: Path, state: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(0, 5, [1]), (1, number, [])])
        reader = Reader(path, state)
        assert counted(reader.scan()) == 20
        storage.pack(LATER, referencesf)
        history.store([(1, 7, [])])
        known = reader.known()
        assert counted(known) == 21
        assert (known.totals, known.findings) == (None, None)
        known = reader.scan()
        assert counted(known) == 21
        assert known.totals is not None
        assert known.totals.transactions == 2
        assert known.totals.packed
        assert agrees(known, path)


def test_pack_while_we_are_down(path: Path, state: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(0, 5, [1]), (1, number, [])])
        Reader(path, state).scan()
        history.store([(1, 7, [])])
        history.store([(1, 8, [])])
        storage.pack(LATER, referencesf)
        history.store([(1, 9, [])])
        reader = Reader(path, state)
        # Of the two commits before the pack, the pack left one.
        assert counted(reader.known()) == counted(reader.scan()) == 22


def test_pack_in_the_middle_of_a_scan(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(0, 5, [1]), (1, number, [])])
        reader = Reader(path)
        reader.known()
        reader.rescan.step()
        storage.pack(LATER, referencesf)
        known = reader.scan()
        assert agrees(known, path)
        assert counted(known) == 20


def test_restart_goes_on_without_a_scan(path: Path, state: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(10):
            history.store([(number, 5, [])])
        first = Reader(path, state).scan()
        history.store([(1, 7, [])])
        reader = Reader(path, state)
        known = reader.known()
        assert counted(known) == 11
        assert agrees(known, path)
        assert known.findings == first.findings
        assert not reader.rescan.step()


def test_file_that_was_restored(path: Path, state: Path) -> None:
    datafs.write(path, 5)
    backup = path.with_name("backup")
    shutil.copy(path, backup)
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 6)
        datafs.commit(storage, 7)
    reader = Reader(path, state)
    assert counted(reader.scan()) == 7
    for restore in (shutil.copyfile, shutil.move):
        restore(backup, path)
        path.with_name("Data.fs.index").unlink(missing_ok=True)
        known = reader.scan()
        assert counted(known) == 7
        assert agrees(known, path)
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 8)
    assert counted(reader.known()) == 8


def test_missing_file(path: Path) -> None:
    datafs.write(path, 5)
    reader = Reader(path)
    before = reader.scan()
    away = path.rename(path.with_name("Data.fs.pack"))
    with pytest.raises(DataFileMissingError):
        reader.followed.look()
    away.rename(path)
    assert reader.known() == before


def test_file_that_is_made_later(path: Path) -> None:
    now = 0.0
    reader = Reader(path, clock=lambda: now)
    for _ in range(5):
        reader.rescan.step()
        now += 10
    assert reader.rescan.problem is None
    datafs.write(path, 5)
    assert counted(reader.scan()) == 5


def test_more_than_one_look_takes_on_is_read_in_between(path: Path, state: Path) -> None:
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1)
        reader = Reader(path, state)
        reader.scan()
        for number in range(2, 6):
            datafs.commit(storage, number, bytes(LOOK_BYTES // 2))
        assert counted(reader.known()) == 3
        assert reader.rescan.step()
        assert counted(reader.followed.known) == 5
        assert agrees(reader.scan(), path)
        assert agrees(Reader(path, state).known(), path)


def test_tail_that_is_cut_off(path: Path) -> None:
    datafs.write(path, 3)
    size = path.stat().st_size
    modified = path.stat().st_mtime
    now = modified
    reader = Reader(path, clock=lambda: now)
    reader.scan()
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 4)
    os.truncate(path, size + 50)
    os.utime(path, (modified, modified))
    assert counted(reader.known()) == 3
    now = modified + TORN_SECONDS + 1
    assert isinstance(reader.problem(), TornTailError)
    os.truncate(path, size)
    assert counted(reader.known()) == 3


def test_unfinished_transaction_before_others_is_damage(path: Path) -> None:
    ends = datafs.write(path, 4)
    content = bytearray(path.read_bytes())
    reader = Reader(path)
    for position, value in [(ends[1] + 16, b"c"), (ends[1] + 10, b"\x7f")]:
        damaged = bytearray(content)
        damaged[position : position + 1] = value
        path.write_bytes(damaged)
        reader.followed.look()
        while reader.rescan.step():
            pass
        problem = reader.problem()
        assert isinstance(problem, DamagedError)
        assert f"damaged at byte {ends[1]}" in str(problem)
        assert counted(reader.followed.look()[0]) == 2
    path.write_bytes(content)
    assert counted(reader.scan()) == 4


def test_state_that_cannot_be_read_leaves_out_only_the_count(path: Path, state: Path) -> None:
    datafs.write(path, 3)
    state.mkdir()
    reader = Reader(path, state)
    for _ in range(2):
        known, problems = reader.followed.look()
        assert known.counted is None
        assert str(state) in str(problems[0])
        while reader.rescan.step():
            pass
        assert reader.rescan.problem is None
    assert agrees(known, path)


def test_live_writer(path: Path) -> None:
    for seed in range(3):
        path.unlink(missing_ok=True)
        with child(WRITER, str(path), str(seed), "0") as writer:
            lines_until_ready(writer)
            reader = Reader(path)
            assert counted(reader.scan()) == 1
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
            seen = [1]
            while not select([writer.stdout], [], [], 0)[0]:
                try:
                    seen.append(counted(reader.known()))
                except DataFileMissingError:
                    continue
                reader.rescan.step()
            [commits] = lines_until_ready(writer)
            known = reader.scan()
            assert agrees(known, path)
            assert known.totals is not None
            assert known.totals.superseded == scanned(path).full_count.totals().superseded
            assert len(set(seen)) > 10
            assert seen == sorted(seen)
            assert counted(known) <= int(commits)


def test_killed_at_any_moment(path: Path, state: Path) -> None:
    dice = random.Random(1)
    with child(WRITER, str(path), "7", "0") as writer:
        lines_until_ready(writer)
        Reader(path, state).scan()
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
        seen = [1]
        while not select([writer.stdout], [], [], 0)[0]:
            with child(READER, str(path), str(state)) as reader:
                assert reader.stdout is not None
                seen += [int(reader.stdout.readline()) for _ in range(dice.randrange(1, 200))]
                os.kill(reader.pid, signal.SIGKILL)
                seen += [int(line) for line in reader.stdout if line.endswith("\n")]
        [commits] = lines_until_ready(writer)
        known = Reader(path, state).scan()
        assert agrees(known, path)
        assert seen == sorted(seen)
        assert seen[-1] <= counted(known) <= int(commits)
