import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from zope_exporter.logs.tail.store import GONE_KEPT, LogKey, LogStore

KEY = LogKey("intranet", "instance-access", b"/srv/\xff/Z4.log")
OTHER = LogKey("intranet", "instance-event", b"/srv/event.log")


def test_what_is_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    assert LogStore(tmp_path / "s").save({KEY: {"lines": 1}, OTHER: {"lines": 2}})
    store = LogStore(tmp_path / "s")
    assert store.save({KEY: {"lines": 3, "path": "\udcff"}})
    assert LogStore(tmp_path / "s").load() == {
        KEY: {"lines": 3, "path": "\udcff"},
        OTHER: {"lines": 2},
    }
    assert store.problem is None


def test_all_or_nothing(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "s")
    assert store.save({KEY: {"lines": 1}})
    with closing(sqlite3.connect(tmp_path / "s")) as state:
        state.execute(
            "CREATE TRIGGER full BEFORE INSERT ON logs WHEN NEW.log LIKE '%event' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    assert not store.save({KEY: {"lines": 2}, OTHER: {"lines": 2}})
    assert LogStore(tmp_path / "s").load() == {KEY: {"lines": 1}}
    assert store.problem is not None
    assert "make room on its file system; until then a restart" in store.problem


@pytest.mark.parametrize("state", ["", "{", "7", "[1]", "null", "[" * 100_000])
def test_rows_of_others(tmp_path: Path, state: str) -> None:
    LogStore(tmp_path / "s").save({KEY: {}})
    with closing(sqlite3.connect(tmp_path / "s")) as connection, connection:
        connection.execute("UPDATE logs SET state = ?", (state,))
    assert LogStore(tmp_path / "s").load() == {KEY: {}}


def test_an_unusable_file_is_a_problem_until_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.mkdir()
    store = LogStore(file)
    assert store.load() == {}
    assert not store.save({KEY: {"lines": 1}})
    assert store.problem is not None
    assert f"{file}: unable to open database file; let the exporter's user" in store.problem
    file.rmdir()
    assert store.save({KEY: {"lines": 1}})
    assert store.problem is None


def test_without_a_file() -> None:
    store = LogStore(None, "no state can be kept")
    assert store.load() == {}
    assert not store.save({KEY: {}})
    assert store.problem == "no state can be kept"


def test_of_logs_that_are_gone_only_the_newest_stay_known(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "s")
    followed = LogKey("a", "followed", b"/followed")
    assert store.save({followed: {}}, {followed})
    gone = [LogKey("a", "gone", b"/%d" % number) for number in range(GONE_KEPT + 9)]
    assert store.save({key: {} for key in gone[:GONE_KEPT]}, {followed})
    assert store.save({key: {} for key in gone[:1]}, {followed})  # it is the newest again
    assert store.save({key: {} for key in gone[GONE_KEPT:]}, {followed})
    assert set(store.load()) == {followed, gone[0], *gone[10:]}
