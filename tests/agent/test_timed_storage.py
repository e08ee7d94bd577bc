"""A storage in <timedstorage> does what it does without, and its loads are timed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transaction
import ZODB.config
from BTrees.Length import Length
from persistent.mapping import PersistentMapping
from Products.ZopeExporterAgent.databases import are_loads_timed, innermost
from Products.ZopeExporterAgent.load_times import spent
from Products.ZopeExporterAgent.requests import Requests
from Products.ZopeExporterAgent.timed_storage import TimedStorage
from ZODB.blob import Blob
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage
from ZODB.interfaces import IBlobStorage, IMVCCStorage, IStorageUndoable
from ZODB.MappingStorage import MappingStorage
from ZODB.POSException import ConflictError, POSKeyError
from ZODB.tests.MVCCMappingStorage import MVCCMappingStorage
from ZODB.utils import p64, z64
from zope.interface import providedBy  # type: ignore[import-untyped]

FILESTORAGE = (
    "<filestorage>\n path {0}/Data.fs\n blob-dir {0}/blobs\n pack-gc false\n</filestorage>"
)
TIMED = "<timedstorage>\n{}\n</timedstorage>"
DATABASE = "%import Products.ZopeExporterAgent\n<zodb>\n{}\n</zodb>\n"
KINDS = {"plain": FILESTORAGE, "timed": TIMED.format(FILESTORAGE)}


@contextmanager
def opened(section: str, directory: Path) -> Iterator[DB]:
    """As Zope opens what its zope.conf names."""
    directory.mkdir(exist_ok=True)
    database = ZODB.config.databaseFromString(DATABASE.format(section.format(directory)))
    try:
        yield database
    finally:
        database.close()


@contextmanager
def connection(database: DB) -> Iterator[Any]:
    manager = transaction.TransactionManager()
    found = database.open(manager)
    try:
        yield found
    finally:
        manager.abort()
        found.close()


def content(blob: Any) -> bytes:
    with blob.open("r") as stream:
        found: bytes = stream.read()
        return found


def use(database: DB) -> Iterator[object]:
    """Do all that sites do to a database, and tell what came of it."""
    with connection(database) as one, connection(database) as two:
        root = one.root()
        root["length"], root["map"] = Length(), PersistentMapping(number=0)
        root["blob"] = Blob(b"first")
        one.transaction_manager.commit()
        two.transaction_manager.begin()
        root["length"].change(2)
        two.root()["length"].change(3)
        one.transaction_manager.commit()
        two.transaction_manager.commit()  # the conflict is resolved
        yield two.root()["length"]()
        one.transaction_manager.begin()
        root["map"]["number"], two.root()["map"]["number"] = 1, 2
        one.transaction_manager.commit()
        with pytest.raises(ConflictError):
            two.transaction_manager.commit()
        two.transaction_manager.abort()
        with root["blob"].open("w") as blob:
            blob.write(b"second")
        root["map"]["number"] = 3
        one.transaction_manager.savepoint()
        one.transaction_manager.commit()
        yield content(root["blob"])
        yield Path(root["blob"].committed()).read_bytes()
        first = database.history(root["map"]._p_oid, 10)[-1]["tid"]
        yield one.oldstate(root["map"], first)
    yield len(database.history(p64(0), 10))
    yield len(database.undoLog(0, 10))
    database.undo(database.undoLog(0, 1)[0]["id"])
    transaction.commit()
    with connection(database) as one:
        one.sync()
        yield one.root()["map"]["number"], content(one.root()["blob"])
        old = database.open(transaction.TransactionManager(), before=one.root()["map"]._p_serial)
        yield old.root()["map"]["number"]
        old.close()
        with pytest.raises(POSKeyError):
            one.get(p64(999))
        one.root().pop("map")
        one.transaction_manager.commit()
    database.pack()
    yield [(len(list(each)), each.user) for each in database.storage.iterator()]
    yield database.objectCount(), database.supportsUndo()


def test_all_that_sites_do_has_the_same_outcome(tmp_path: Path) -> None:
    told = {}
    for name, section in KINDS.items():
        with opened(section, tmp_path / name) as database:
            told[name] = list(use(database))
    assert told["timed"] == told["plain"]
    assert told["plain"][:3] == [5, b"second", b"second"]


def test_the_section_may_come_and_go(tmp_path: Path) -> None:
    for section in ("plain", "timed", "plain"):
        with opened(KINDS[section], tmp_path) as database, connection(database) as one:
            root = one.root()
            root["seen"] = [*root.get("seen", ()), section]
            root[section] = Blob(section.encode())
            one.transaction_manager.commit()
            assert content(root[section]) == section.encode()
    with opened(KINDS["plain"], tmp_path) as database, connection(database) as one:
        assert one.root()["seen"] == ["plain", "timed", "plain"]
        assert content(one.root()["timed"]) == b"timed"


@pytest.mark.parametrize(
    "make",
    [
        lambda at: FileStorage(f"{at}/Data.fs"),
        lambda at: FileStorage(f"{at}/Data.fs", blob_dir=f"{at}/blobs"),
        lambda _: MappingStorage(),
        lambda _: MVCCMappingStorage(),
    ],
)
def test_it_is_what_is_within(make: Callable[[Path], Any], tmp_path: Path) -> None:
    base = make(tmp_path)
    timed = TimedStorage(base)
    assert list(providedBy(timed)) == list(providedBy(base))
    for interface in (IBlobStorage, IMVCCStorage, IStorageUndoable):
        assert interface.providedBy(timed) == interface.providedBy(base)
    public = [name for name in dir(base) if not name.startswith("_")]
    assert all(hasattr(timed, name) for name in public)
    for name in ("loadBlob", "loadSerial", "new_instance", "undo", "prefetch", "nothing"):
        assert hasattr(timed, name) == hasattr(base, name)
    assert len(timed) == len(base)
    with pytest.raises(POSKeyError):
        timed.loadBefore(p64(7), p64(1))
    timed.close()


def test_each_connection_of_an_mvcc_storage_is_timed() -> None:
    database = DB(TimedStorage(MVCCMappingStorage()))
    with connection(database) as one, connection(database) as two:
        before = spent.seconds
        one.root()["it"] = PersistentMapping(number=1)
        one.transaction_manager.commit()
        two.transaction_manager.begin()
        assert two.root()["it"]["number"] == 1
        assert two._storage is not one._storage
        assert spent.seconds > before
    database.close()


class Waiting:
    """A storage whose loads take a while, by a method that it replaces while it is used."""

    def __init__(self, base: object = None) -> None:
        self.base = base

    def registerDB(self, _database: object) -> None:  # noqa: N802 -- ZODB calls it so
        vars(self)["load"] = self.later

    def load(self, oid: bytes, version: str = "") -> tuple[bytes, str]:
        threading.Event().wait(0.02)
        return oid, version

    def later(self, oid: bytes, version: str = "") -> tuple[bytes, str]:
        threading.Event().wait(0.02)
        raise KeyError(oid, version)


def test_what_raises_is_timed_too_and_nothing_twice() -> None:
    timed = TimedStorage(TimedStorage(Waiting()))
    before, began = spent.seconds, time.monotonic()
    assert timed.load(z64) == (z64, "")
    assert 0.02 <= spent.seconds - before <= time.monotonic() - began
    timed.registerDB(None)
    with pytest.raises(KeyError, match="of no version"):
        timed.load(z64, version="of no version")
    assert spent.seconds - before >= 0.04


def test_a_request_has_the_time_of_its_own_thread() -> None:
    requests = Requests()
    requests.views.are_loads_timed = True
    timed = TimedStorage(Waiting())
    timed.load(z64)  # before
    request = requests.begin({})
    assert request is not None
    requests.viewed("pkg.View/view")
    elsewhere = threading.Thread(target=lambda: [timed.load(z64) for _ in range(10)])
    elsewhere.start()
    elsewhere.join()
    timed.load(z64)
    requests.published(request)
    timed.load(z64)  # after
    requests.end(request)
    [row] = [
        dict(zip(told["fields"], told["hour"]["pkg.View/view"], strict=True))
        for told in [requests.status(5.0, 0.0)["views"]]
    ]
    assert 0.02 <= row["load_seconds"] <= row["seconds"]


class TemporaryStorage:
    """As Zope has one of that name for sessions."""


def test_it_is_known_only_where_all_storages_are_timed() -> None:
    def databases(*storages: object) -> dict[str, object]:
        return {str(n): SimpleNamespace(storage=each) for n, each in enumerate(storages)}

    class ZlibStorage(Waiting):
        """As zc.zlibstorage has one."""

    plain, timed = Waiting(), TimedStorage(Waiting())
    memory = TemporaryStorage()
    assert not are_loads_timed({})
    assert not are_loads_timed(databases(memory))
    assert not are_loads_timed(databases(timed, plain))
    assert are_loads_timed(databases(timed, memory))
    within, around = ZlibStorage(timed), TimedStorage(ZlibStorage(plain))
    assert are_loads_timed(databases(within, around))
    assert not are_loads_timed(databases(ZlibStorage(plain)))
    assert innermost(around) is plain
    assert innermost(within) is timed.base


def test_the_storage_within_tells_what_is_wrong(tmp_path: Path) -> None:
    section = TIMED.format(FILESTORAGE).replace("pack-gc", "read-only true\n pack-gc")
    with pytest.raises(IOError, match=r"Data\.fs"), opened(section, tmp_path):
        pass


def test_what_is_read_of_it_is_said_by_its_name() -> None:
    assert repr(TimedStorage(MappingStorage("few"))).startswith("<TimedStorage around <ZODB.Mapp")
