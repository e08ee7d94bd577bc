"""The known patterns find what ZODB and the system say when the thing really happens."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import transaction
from persistent.mapping import PersistentMapping
from persistent.timestamp import TimeStamp
from ZODB.Connection import TransactionMetaData
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage
from ZODB.MappingStorage import MappingStorage
from ZODB.utils import p64

from tests.support.logs.event_counts import matches
from zope_exporter.logs.event.counter import EventCounter

FORMAT = "%(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"

log = logging.getLogger("tests.known_patterns")


@pytest.fixture
def event_log(tmp_path: Path) -> Iterator[Path]:
    """Where all goes that is logged, with the traceback of what fails."""
    path = tmp_path / "event.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield path
    finally:
        root.removeHandler(handler)
        handler.close()


def full_disk(_: Path) -> None:
    with Path("/dev/full").open("w") as full:
        full.write("x")


def exhausted_memory(_: Path) -> None:
    bytearray(1 << 62)


def exhausted_descriptors(_: Path) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def read_only_file_system(_: Path) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def missing_object(_: Path) -> None:
    storage = MappingStorage()
    with closing(DB(storage)) as db:
        with db.transaction() as connection:
            lost = connection.root()["lost"] = PersistentMapping()
        del storage._data[lost._p_oid]
        db.cacheMinimize()
        with db.transaction() as connection:
            len(connection.root()["lost"])


def conflict(_: Path) -> None:
    with closing(DB(MappingStorage())) as db, db.transaction() as connection:
        connection.root()["page"] = PersistentMapping()
        with db.transaction() as other:
            other.root()["page"] = PersistentMapping()


def write_to_read_only(home: Path) -> None:
    FileStorage(str(home / "Data.fs")).close()
    with closing(FileStorage(str(home / "Data.fs"), read_only=True)) as storage:
        DB(storage)


def too_many_connections(_: Path) -> None:
    with closing(DB(MappingStorage(), pool_size=1)) as db:
        managers = [transaction.TransactionManager() for _ in range(2)]
        for connection in [db.open(manager) for manager in managers]:
            connection.close()


def record_in_future(home: Path) -> None:
    with closing(FileStorage(str(home / "Data.fs"))) as storage:
        begun = TransactionMetaData()
        storage.tpc_begin(begun, tid=TimeStamp(2200, 1, 1, 0, 0, 0).raw())
        storage.store(p64(0), p64(0), b"x", "", begun)
        storage.tpc_vote(begun)
        storage.tpc_finish(begun)
    FileStorage(str(home / "Data.fs")).close()


def damaged_data(home: Path) -> None:
    FileStorage(str(home / "Data.fs")).close()
    (home / "Data.fs.index").unlink()
    with (home / "Data.fs").open("ab") as data:
        data.write(b"\x01" * 200)
    FileStorage(str(home / "Data.fs")).close()


class Resource:
    """A resource, the first in order, that takes part in a commit."""

    def __init__(self, tpc_finish: Callable[[object], None]) -> None:
        self.tpc_finish = tpc_finish

    def sortKey(self) -> str:  # noqa: N802 - as in transaction.interfaces.IDataManager
        return ""

    def tpc_begin(self, _: object) -> None: ...

    commit = tpc_vote = tpc_abort = abort = tpc_begin


def full_disk_while_finishing(home: Path) -> None:
    storage = FileStorage(str(home / "Data.fs"))

    def fill(_: object) -> None:
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), storage._file.fileno())

    with closing(DB(storage)) as db, db.transaction() as connection:
        connection.root()["page"] = 1
        connection.transaction_manager.get().join(Resource(fill))


def half_commit(_: Path) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("half-way")

    manager = transaction.TransactionManager()
    manager.get().join(Resource(fail))
    manager.commit()


@pytest.mark.parametrize(
    ("happen", "expected"),
    [
        (full_disk, {"disk_full": 1}),
        (exhausted_memory, {"MemoryError": 1}),
        (exhausted_descriptors, {"too_many_open_files": 1}),
        (read_only_file_system, {"ReadOnlyError": 1}),
        (missing_object, {"POSKeyError": 2, "load_failed": 1}),
        (conflict, {"ConflictError": 1, "conflict_failed": 1}),
        (write_to_read_only, {"ReadOnlyError": 1}),
        (too_many_connections, {"pool_size": 1}),
        (record_in_future, {"future_records": 1}),
        (damaged_data, {"data_corrupted": 1}),
        (
            full_disk_while_finishing,
            {"storage_closed": 1, "commit_inconsistent": 1, "disk_full": 2},
        ),
        (half_commit, {"commit_inconsistent": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_happens_is_found(
    happen: Callable[[Path], None], expected: dict[str, int], event_log: Path, tmp_path: Path
) -> None:
    try:
        happen(tmp_path)
    except Exception:
        log.exception("it happened")
    counter = EventCounter()
    counter.feed(event_log.read_bytes())
    assert matches(counter) == expected
