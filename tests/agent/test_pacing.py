"""Packs that pause do what others do."""

import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest
import ZODB
from Products.ZopeExporterAgent.pacing import PAUSE, considerate
from ZODB.FileStorage import FileStorage
from ZODB.MappingStorage import MappingStorage
from ZODB.serialize import referencesf
from ZODB.tests.hexstorage import HexStorage

from tests.support.databases.packing import blob_dir_of, items, make_database


def _open(data_fs: Path, **options: object) -> FileStorage:
    return FileStorage(str(data_fs), blob_dir=str(blob_dir_of(data_fs)), **options)


def _kept_by(data_fs: Path) -> list[str]:
    """The blobs that the pack has put aside."""
    return sorted(path.name for path in data_fs.with_name("blobs.old").rglob("*.blob"))


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    data_fs = tmp_path / "paced/Data.fs"
    data_fs.parent.mkdir()
    make_database(data_fs, revisions=30, blobs=6)
    return data_fs


def test_it_makes_the_same_file_and_pauses_meanwhile(data_fs: Path, tmp_path: Path) -> None:
    shutil.copytree(data_fs.parent, tmp_path / "plain")
    plain = tmp_path / "plain/Data.fs"
    now = time.time()
    with closing(_open(plain)) as storage:
        storage.pack(now, referencesf)
    pauses: list[float] = []
    with closing(_open(data_fs)) as storage, considerate(storage, pauses.append):
        storage.pack(now, referencesf)
    assert pauses
    assert set(pauses) == {PAUSE}
    assert data_fs.read_bytes() == plain.read_bytes()
    assert items(data_fs) == items(plain)
    assert _kept_by(data_fs) == _kept_by(plain)


def test_what_is_committed_meanwhile_is_there(data_fs: Path) -> None:
    with closing(ZODB.DB(_open(data_fs))) as database:
        committed = 0

        def commit(_: float) -> None:
            nonlocal committed
            committed += 1
            with database.transaction() as connection:
                connection.root()["meanwhile"] = committed

        with considerate(database.storage, commit):
            database.pack()
        assert committed
        with database.transaction() as connection:
            assert connection.root()["meanwhile"] == committed


def test_later_packs_are_as_before_even_if_one_fails(data_fs: Path) -> None:
    def fail(_: float) -> None:
        raise ArithmeticError

    with closing(_open(data_fs)) as storage:
        with pytest.raises(ArithmeticError), considerate(storage, fail):
            storage.pack(time.time(), referencesf)
        assert storage.packer is FileStorage.packer
        storage.pack(time.time(), referencesf)
    assert items(data_fs)


def test_a_packer_of_the_site_s_own_is_left_alone(data_fs: Path) -> None:
    asked = []

    def packer(*_: object) -> None:
        asked.append(True)

    with closing(_open(data_fs, packer=packer)) as storage:
        with considerate(storage):
            storage.pack(time.time(), referencesf)
        assert storage.packer is packer
    assert asked == [True]


@pytest.mark.parametrize("storage", [MappingStorage(), HexStorage(MappingStorage())])
def test_other_storages_are_left_alone(storage: object) -> None:
    before = dict(vars(storage))
    with considerate(storage):
        assert vars(storage) == before
