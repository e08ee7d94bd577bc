import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from zope_exporter.logs.tail.store import LogKey, LogStore

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
    file.write_text("something else, longer than the header of a database" * 100)
    store = LogStore(file)
    assert store.load() == {}
    assert not store.save({KEY: {"lines": 1}})
    assert store.problem is not None
    assert f"{file}: file is not a database; move the file away; until then" in store.problem
    file.unlink()
    assert store.save({KEY: {"lines": 1}})
    assert store.problem is None


def test_without_a_file() -> None:
    store = LogStore(None, "no state can be kept")
    assert store.load() == {}
    assert not store.save({KEY: {}})
    assert store.problem == "no state can be kept"
