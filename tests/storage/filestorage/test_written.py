"""What is written while a Data.fs is followed: over packs, restarts of ours and cut-off tails."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import datafs
from tests.support.databases.history import OPERATIONS, History, Operation, record
from tests.support.databases.written import Writer
from zope_exporter.storage.filestorage.class_counters import NAMED, ClassCounters
from zope_exporter.storage.filestorage.commits import Commit
from zope_exporter.storage.filestorage.datafile import DataFileMissingError
from zope_exporter.storage.filestorage.format import Transaction, tid_at
from zope_exporter.storage.filestorage.growth_hours import GrowthHours
from zope_exporter.storage.filestorage.reader import DamagedError
from zope_exporter.storage.filestorage.written import LEARNT_BYTES, Written
from zope_exporter.system.state import StateError

NOW = 1_760_000_000.0
HOUR = 3600.0
WEEK = 7 * 24 * HOUR


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


def total(written: Written) -> int:
    """The bytes counted, by all classes."""
    return sum(size for size, _ in written.counted().values())


STEPS = st.one_of(OPERATIONS, st.sampled_from([("look",), ("restart",), ("crash",)]))


class Followed:
    """Does something to a storage that is followed; `appended` is what commits have added."""

    def __init__(self, history: History, path: Path, state: Path) -> None:
        self.appended = 0
        self._history = history
        self._files = path, state
        self.look_anew()

    def look_anew(self) -> None:
        self.written = Written(*self._files)
        self.written.look()

    def do(self, step: Operation) -> None:
        if step[0] == "look":
            self.written.look()
        elif step[0] == "crash":
            self.look_anew()
        elif step[0] == "restart":
            self.written.save()
            self.look_anew()
        elif step[0] == "pack":
            self.written.look()
            self._history.do(step)
            self.written.look()
        else:
            size = self._history.storage.getSize()
            self._history.do(step)
            self.appended += self._history.storage.getSize() - size


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=st.lists(OPERATIONS, max_size=5), steps=st.lists(STEPS, max_size=25))
def test_what_is_counted_is_what_was_appended(
    directory: Path, before: list[Operation], steps: list[Operation]
) -> None:
    path, state = directory / "Data.fs", directory / "state.sqlite3"
    for left in directory.rglob("*.*"):
        left.unlink()
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 10, [1, 2, 3]), *((oid, 20 * oid, []) for oid in range(1, 10))])
        for operation in before:
            history.do(operation)
        followed = Followed(history, path, state)
        for step in [*steps, ("look",)]:
            followed.do(step)
    assert total(followed.written) == followed.appended
    whole = followed.written.since(0)
    assert whole is not None
    assert whole.bytes >= followed.appended


def test_what_was_there_is_learnt_but_not_counted(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        writer = Writer(storage)
        writer.commit(NOW, "/large", "jane", [bytes(LEARNT_BYTES)])
        size = writer.commit(NOW + HOUR, "/edit", "jane", [record(50, [], "m Item")])
        written = Written(path)
        written.look()
        assert written.counted() == {"m.Item": (0, 0), "other": (0, 0)}
        growth = written.since(NOW)
        assert growth is not None
        assert [row[:2] for row in growth.rows("path")] == [("/edit", size)]
        appended = writer.commit(NOW + 2 * HOUR, "/add", "jane", [record(70, [], "m Page")])
        written.look()
    counted = written.counted()
    assert counted["m.Page"] == (42 + len(record(70, [], "m Page")), 1)
    assert total(written) == appended
    growth = written.since(NOW + 2 * HOUR)
    assert growth is not None
    assert growth.bytes == appended


def test_nothing_is_told_of_what_was_not_seen(path: Path) -> None:
    written = Written(path)
    with pytest.raises(DataFileMissingError):
        written.look()
    assert written.counted() == {}
    assert written.since(0) is None


def test_a_commit_that_is_taken_back_is_not_counted(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        size = datafs.commit(storage, 1)
        written = Written(path)
        written.look()
        transaction = datafs.vote(storage, 2)
        written.look()
        assert total(written) == 0
        storage.tpc_finish(transaction)
        written.look()
        assert total(written) == storage.getSize() - size


def test_damage_is_raised_and_what_is_before_it_is_counted(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        first = datafs.commit(storage, 1)
        written = Written(path)
        written.look()
        second = datafs.commit(storage, 2)
        third = datafs.commit(storage, 3)
    with path.open("r+b") as file:
        file.seek(third - 8)
        file.write(bytes(8))
    with pytest.raises(DamagedError):
        written.look()
    assert total(written) == second - first


def test_where_nothing_can_be_kept_it_is_counted_all_the_same(tmp_path: Path, path: Path) -> None:
    (tmp_path / "filestorage").write_text("no directory")
    with datafs.storage_at(path) as storage:
        first = datafs.commit(storage, 1)
        written = Written(path, tmp_path / "state.sqlite3")
        with pytest.raises(StateError):
            written.look()
        (tmp_path / "filestorage").unlink()
        written.look()
        second = datafs.commit(storage, 2)
        written.look()
    assert total(written) == second - first


def test_what_another_version_kept_is_left(tmp_path: Path, path: Path) -> None:
    datafs.write(path, 2)
    written = Written(path, tmp_path / "state.sqlite3")
    written.look()
    [kept] = (tmp_path / "filestorage").glob("*.written")
    kept.write_bytes(kept.read_bytes().replace(b"counters", b"dounters"))
    written = Written(path, tmp_path / "state.sqlite3")
    written.look()
    assert total(written) == 0


def commit(time: float, classes: dict[str, int], path: str = "/edit") -> Commit:
    size = sum(classes.values()) + 70
    transaction = Transaction(tid_at(time), b" ", 0, 62, size)
    return Commit(transaction, {name: [each, 1] for name, each in classes.items()}, "jane", path)


def counters(*commits: Commit) -> ClassCounters:
    found = ClassCounters()
    for each in commits:
        found.add(each)
    return found


MANY = [f"m.C{number:02}" for number in range(NAMED)]


def test_as_many_as_there_are_places_are_named_and_all_others_are_one() -> None:
    found = counters(commit(NOW, {**dict.fromkeys(MANY, 100), "m.Late": 5000}))
    assert [*found.sums()] == [*MANY, "other"]
    assert found.sums()["other"] == (5070, 1)


def test_names_stay_for_an_hour_and_then_who_writes_more_takes_a_place() -> None:
    commits = [commit(NOW, dict.fromkeys(MANY, 100))]
    commits += [commit(NOW + number, {"m.Late": 5000}) for number in range(3)]
    found = counters(*commits)
    assert "m.Late" not in found.sums()
    found.add(commit(NOW + HOUR, {"m.Late": 10}))
    assert found.sums()["m.Late"] == (10, 1)
    assert len(found.sums()) == NAMED + 1
    assert MANY[0] not in found.sums()
    assert MANY[1] in found.sums()


def test_who_writes_hardly_more_takes_no_place() -> None:
    commits = [commit(NOW, {**dict.fromkeys(MANY, 100), "m.Late": 200})]
    found = counters(*commits, commit(NOW + HOUR, {"m.Late": 10}))
    assert [*found.sums()] == [*MANY, "other"]


def test_a_class_that_was_expected_and_does_not_write_gives_its_place() -> None:
    found = ClassCounters()
    found.expect(["other", *MANY, "m.TooMany"])
    assert [*found.sums()] == [*MANY, "other"]
    found.add(commit(NOW, {"m.Late": 100}))
    assert found.sums()["m.Late"] == (100, 1)
    assert len(found.sums()) == NAMED + 1


def hours(times: Sequence[float], path: str = "/{}") -> GrowthHours:
    found = GrowthHours()
    for number, each in enumerate(times):
        found.add(commit(each, {f"m.C{number}": 100}, path.format(number)))
    return found


def test_hours_of_a_week_are_kept() -> None:
    found = hours([NOW - WEEK - 2 * HOUR, NOW - WEEK + HOUR, NOW - 2 * HOUR, NOW])
    assert len(found) == 3
    for begin, transactions in [(NOW - 2 * WEEK, 3), (NOW - 3 * HOUR, 2), (NOW, 1)]:
        assert found.since(begin).transactions == transactions


def test_over_the_end_of_a_short_month_too() -> None:
    march = time.mktime((2026, 3, 2, 12, 0, 0, 0, 0, 0))
    assert hours([march - WEEK + 2 * HOUR, march]).since(0).transactions == 2


def test_an_hour_that_is_over_has_few_names_and_all_bytes() -> None:
    found = hours([NOW + number / 100 for number in range(5000)])
    found.add(commit(NOW + 2 * HOUR, {"m.C": 100}))
    growth = found.since(0)
    rows = growth.rows("path")
    assert len(rows) <= 22
    assert sum(row.bytes for row in rows) == growth.bytes == 5001 * 170
