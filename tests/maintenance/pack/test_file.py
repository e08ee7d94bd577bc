"""Packing a file that nobody has open."""

import itertools
import os
import shutil
from pathlib import Path

import pytest
from ZODB.FileStorage import FileStorage
from ZODB.utils import p64, z64

from tests.support.databases.datafs import storage_at
from tests.support.databases.history import History, compressed, freed_by_pack, record
from tests.support.databases.packing import (
    AT_ONCE,
    Remembered,
    items,
    make_database,
    storage_of,
)
from tests.support.faults.killing import dies_at
from tests.support.faults.rights import NOBODY, public_directory
from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError, RefusedError
from zope_exporter.maintenance.pack import offline
from zope_exporter.maintenance.pack.choose_engine import FileEngine
from zope_exporter.maintenance.pack.program import own_program
from zope_exporter.maintenance.pack.run import pack
from zope_exporter.maintenance.pack.target import PackResult, PackTarget
from zope_exporter.system.subprocesses import run

NEVER = 1 << 60


def pack_file(data_fs: Path, report: Remembered | None = None) -> PackResult:
    storage = storage_of(data_fs)
    return pack(PackTarget(storage, FileEngine(storage)), AT_ONCE, report or Remembered())


def test_what_is_superseded_is_gone_and_all_else_is_there(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, blobs=6)
    before, size = items(data_fs), data_fs.stat().st_size
    report = Remembered()
    result = pack_file(data_fs, report)
    assert items(data_fs) == before
    assert result.before.data == size
    assert result.after.data == data_fs.stat().st_size
    assert result.freed
    assert result.freed > 190_000
    assert result.after.old == size
    assert (result.before.blob_files, result.after.blob_files) == (6, 3)
    assert result.leftovers == ()
    assert "freed" in report.text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "Data.fs",
        "Data.fs.index",
        "Data.fs.lock",
        "Data.fs.old",
        "Data.fs.tmp",
        "blobs",
        "blobs.old",
    ]


def test_what_zlibstorage_compressed_is_packed_as_by_zope(tmp_path: Path) -> None:
    data_fs, other = tmp_path / "Data.fs", tmp_path / "other.fs"
    with storage_at(data_fs) as storage:
        history = History(storage, compress=True)
        history.store([(oid, 300, [oid + 1]) for oid in range(5)] + [(5, 300, [])])
        history.store([(0, 400, [1]), (2, 300, [])])
    shutil.copy(data_fs, other)
    assert pack_file(data_fs).freed == freed_by_pack(other, collect=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b".e" + bytes(300), "a record cannot be read, nor what it refers to"),
        (compressed(record(300, [77])), "refers to the object 0x4d, which is not there"),
    ],
)
def test_what_refers_to_who_knows_what_is_not_packed(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    data_fs = tmp_path / "Data.fs"
    with storage_at(data_fs) as storage:
        history = History(storage)
        history.store([(0, 300, [1])])
        with history.transaction() as transaction:
            storage.store(p64(1), z64, data, "", transaction)
    before = data_fs.read_bytes()
    with pytest.raises(ActionError, match=reason):
        pack_file(data_fs)
    assert data_fs.read_bytes() == before
    assert not data_fs.with_name("Data.fs.pack").exists()


def test_zodb_takes_the_index_that_is_left(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs)
    pack_file(data_fs)
    storage = FileStorage(str(data_fs))
    storage.close()
    assert storage._used_index


def test_a_pack_is_refused_while_a_process_has_the_file_open(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs)
    storage = FileStorage(str(data_fs))
    with pytest.raises(RefusedError) as refused:
        pack_file(data_fs)
    storage.close()
    assert refused.value.code == "open"
    assert not data_fs.with_name("Data.fs.old").exists()


def test_a_damaged_file_is_not_packed_and_not_cut_off(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs)
    content = bytearray(data_fs.read_bytes())
    content[len(content) // 2] ^= 0xFF
    content[20] = ord("c")  # the status of the first transaction
    data_fs.write_bytes(content)
    with pytest.raises(ActionError) as failed:
        pack_file(data_fs)
    assert "after its last whole transaction" in failed.value.reason
    assert data_fs.read_bytes() == content


def test_a_pack_that_is_told_to_end_leaves_everything_as_it_was(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=300, size=100_000)
    content = data_fs.read_bytes()
    with pytest.raises(InterruptedActionError):
        pack_file(data_fs, Remembered(end_in="packing"))
    assert data_fs.read_bytes() == content
    assert not data_fs.with_name("Data.fs.pack").exists()
    pack_file(data_fs)


def test_a_second_pack_finds_nothing(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs)
    pack_file(data_fs)
    report = Remembered()
    result = pack_file(data_fs, report)
    assert result.freed == 0
    assert "there was nothing to pack away" in report.lines


def test_promise_28_no_pickle_of_an_index_is_run(tmp_path: Path) -> None:
    data_fs, marker = tmp_path / "Data.fs", tmp_path / "executed"
    make_database(data_fs)
    data_fs.with_name("Data.fs.index").write_bytes(
        b"cos\nsystem\n(S'touch %s'\ntR." % str(marker).encode()
    )
    pack_file(data_fs)
    assert not marker.exists()


def test_promise_8_killed_at_any_file_operation_there_is_a_whole_data_fs(tmp_path: Path) -> None:
    original, place = tmp_path / "original", tmp_path / "place"
    original.mkdir()
    make_database(original / "Data.fs", revisions=3, blobs=4)
    before = items(original / "Data.fs")
    data_fs, blob_dir = place / "Data.fs", place / "blobs"
    sizes = set()
    for number in itertools.count():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(original, place)
        died = dies_at(number, place, lambda: offline.pack(data_fs, blob_dir, 0))
        sizes.add(data_fs.stat().st_size)
        assert items(data_fs) == before, number
        FileStorage(str(data_fs), blob_dir=str(blob_dir)).close()  # as a Zope that starts
        assert not dies_at(NEVER, place, lambda: offline.pack(data_fs, blob_dir, 0))
        assert items(data_fs) == before, number
        if not died:
            break
    assert number > 20
    assert len(sizes) == 2


def test_promise_4_a_disk_that_gets_full_ends_it_with_everything_as_it_was(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=2, size=200_000, blobs=2)
    content = data_fs.read_bytes()
    limited = [
        "sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *own_program("offline", "0", str(data_fs))
    ]  # fmt: skip
    status, said = run(limited, 60)
    assert status == 1, said
    assert "File too large" in said
    assert data_fs.read_bytes() == content
    assert not data_fs.with_name("Data.fs.pack").exists()
    pack_file(data_fs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_as_root_it_works_as_the_owner_so_that_zope_can_use_all_it_leaves() -> None:
    with public_directory() as public:
        data_fs = public / "var/Data.fs"
        data_fs.parent.mkdir()
        make_database(data_fs, blobs=4)
        for path in [data_fs.parent, *data_fs.parent.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        data_fs.chmod(0o640)
        pack_file(data_fs)
        left = [data_fs.parent, *data_fs.parent.rglob("*")]
        assert {path.stat().st_uid for path in left} == {NOBODY}
        assert data_fs.stat().st_mode & 0o777 == 0o640
        assert data_fs.with_name("Data.fs.old").exists()
