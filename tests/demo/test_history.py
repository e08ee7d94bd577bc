import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage
from ZODB.TimeStamp import TimeStamp

DAY = 86400


@pytest.fixture(scope="module")
def data_fs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "Data.fs"
    command = [sys.executable, "-m", "zope_exporter.demo.history", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def test_transactions_of_a_month_end_shortly_before_now(data_fs: Path) -> None:
    with closing(FileStorage(str(data_fs), read_only=True)) as storage:
        times = [TimeStamp(transaction.tid).timeTime() for transaction in storage.iterator()]
    assert len(times) > 500
    assert times == sorted(times)
    assert 29 * DAY < time.time() - times[0] < 31 * DAY
    assert 0 < time.time() - times[-1] < 2 * 3600


def test_users_and_an_undo_are_on_record(data_fs: Path) -> None:
    with closing(FileStorage(str(data_fs), read_only=True)) as storage:
        last = list(storage.iterator())[-1]
    assert last.user == b"/acl_users admin"
    assert last.description == b"/news/manage_undo_transactions"


def test_it_was_packed_in_the_past(data_fs: Path) -> None:
    old = data_fs.with_name("Data.fs.old")
    assert old.stat().st_size > 1_000_000
    assert 8 * DAY < time.time() - old.stat().st_mtime < 10 * DAY


def test_a_pack_would_free_superseded_and_deleted_objects(data_fs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "Data.fs"
    copy.write_bytes(data_fs.read_bytes())
    with closing(DB(FileStorage(str(copy)))) as database:
        size, objects = database.getSize(), len(database.storage)
        database.pack(time.time())
        assert database.getSize() < 0.7 * size
        assert len(database.storage) < 0.8 * objects


def test_nothing_but_the_database_is_left(data_fs: Path) -> None:
    assert [path for path in data_fs.parent.iterdir() if not path.name.startswith("Data.fs")] == []
