import pickle
import shutil
from pathlib import Path

import pytest
from ZODB.Connection import TransactionMetaData
from ZODB.fsIndex import fsIndex
from ZODB.utils import p64, u64, z64

from tests.support.databases import datafs
from tests.support.databases.counting import scanned, scanned_numbers
from tests.support.databases.history import History, zodb_numbers
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.full_count import indexed, walk
from zope_exporter.storage.filestorage.index import UnusableIndexError, read_index
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.scan_memory import ScanMemory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(number % 7, 10, []), (3, 10, [])])
        history.undo([0])
        history.delete(4)
    return path


def index_of(path: Path) -> Path:
    return path.with_name("Data.fs.index")


def as_python_2_wrote(index: Path) -> bytes:
    """The same in protocol 1, whose long numbers are text."""
    loaded = fsIndex.load(str(index))
    pickles = [b"L%dL\n." % loaded["pos"]]
    for prefix, bucket in loaded["index"]._data.items():
        entries = bucket.toString()
        size = len(entries)
        string = b"U" + bytes([size]) if size < 256 else b"T" + size.to_bytes(4, "little")
        pickles.append(b"(U\x06" + prefix + string + entries + b"t.")
    return b"".join([*pickles, b"N."])


@pytest.mark.parametrize("end", [4, 300, 70_000, 5_000_000_000])
def test_reads_what_zodb_writes(tmp_path: Path, end: int) -> None:
    index = fsIndex()
    some = [0, 1, 0xFFFF, 0x10000, 0x10007, *range(0x20000, 0x22000), 1 << 40, (1 << 64) - 1]
    places = {oid: 4 + 60 * number**3 for number, oid in enumerate(some)}
    for oid, position in places.items():
        index[p64(oid)] = position
    file = tmp_path / "Data.fs.index"
    index.save(end, str(file))
    for content in (file.read_bytes(), as_python_2_wrote(file)):
        file.write_bytes(content)
        found = read_index(file)
        assert found.end == end
        assert dict(zip(found.oids.tolist(), found.positions.tolist(), strict=True)) == places


def test_index_of_real_file(path: Path) -> None:
    found = read_index(index_of(path))
    with datafs.storage_at(path) as storage:
        expected = {u64(oid): position for oid, position in storage._index.items()}
    assert dict(zip(found.oids.tolist(), found.positions.tolist(), strict=True)) == expected


def test_empty_storage(tmp_path: Path) -> None:
    index = tmp_path / "Data.fs.index"
    fsIndex().save(4, str(index))
    found = read_index(index)
    assert (found.end, len(found.oids)) == (4, 0)


def test_every_byte_of_an_index_changed(path: Path) -> None:
    """No change makes the scan wrong: the index is refused, or it does not matter."""
    expected = zodb_numbers(path)
    index = index_of(path)
    content = index.read_bytes()
    refused = 0
    for position, byte in enumerate(content):
        for change in {0, 255, byte ^ 1, byte ^ 0x80} - {byte}:
            index.write_bytes(content[:position] + bytes([change]) + content[position + 1 :])
            try:
                read_index(index)
            except UnusableIndexError as error:
                refused += str(index) in str(error)
            assert scanned_numbers(path, 4096) == expected, (position, change)
    assert refused > 10


def test_every_truncation_of_an_index(path: Path) -> None:
    content = index_of(path).read_bytes()
    for size in range(len(content)):
        index_of(path).write_bytes(content[:size])
        with pytest.raises(UnusableIndexError, match="is not used: "):
            read_index(index_of(path))
    index_of(path).write_bytes(content + b"x")
    with pytest.raises(UnusableIndexError, match="something follows"):
        read_index(index_of(path))


@pytest.mark.parametrize("age", [1, 5, 19])
def test_stale_index_is_where_the_walk_begins(path: Path, age: int) -> None:
    older = path.with_name("older.fs")
    with datafs.storage_at(older) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(number % 7, 10, []), (3, 10, [])])
            if number == age:
                storage._save_index()
                shutil.copy(older.with_name("older.fs.index"), index_of(path))
    found = read_index(index_of(path))
    assert found.end < path.stat().st_size
    assert scanned_numbers(path) == zodb_numbers(path)


def test_transactions_of_every_kind_before_the_end_of_an_index(tmp_path: Path) -> None:
    """Texts longer than what is read of a header, nothing stored, and one undone by an old Zope."""
    path = tmp_path / "Data.fs"
    starts = [4]
    with datafs.storage_at(path) as storage:
        for number, length in enumerate((0, 100, 220, 300, 60_000, 5), 1):
            transaction = TransactionMetaData("admin", "x" * length)
            storage.tpc_begin(transaction, tid=datafs.tid(number))
            if number != 2:
                storage.store(p64(number), z64, b"some data", "", transaction)
            storage.tpc_vote(transaction)
            storage.tpc_finish(transaction)
            starts.append(storage.getSize())
    with path.open("r+b") as file:
        file.seek(starts[2] + 16)
        file.write(b"u")
    index_of(path).unlink()
    with datafs.storage_at(path):
        pass  # which writes an index without what is undone
    with opened(path) as descriptor:
        steps = indexed(DataFile(path, descriptor), index_of(path), ScanMemory())
        while True:
            try:
                next(steps)
            except StopIteration as end:  # noqa: PERF203 - this is how a generator returns
                found = end.value.totals()
                break
    assert found == walk(path).totals()
    assert (found.transactions, found.objects) == (5, 4)


def test_index_of_a_longer_or_another_file(path: Path) -> None:
    expected = zodb_numbers(path)
    other = path.with_name("other.fs")
    with datafs.storage_at(other) as storage:
        history = History(storage)
        for number in range(30):
            history.store([(number, 11, [])])
    shutil.copy(other.with_name("other.fs.index"), index_of(path))
    assert scanned_numbers(path) == expected


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.marker,)  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", range(6))
def test_evil_pickles_do_not_run(path: Path, tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    evil = pickle.dumps(Evil(marker), protocol)
    with datafs.storage_at(path) as storage:
        history = History(storage, number=100)
        for oid, data in enumerate([evil, evil + evil, b"(" + evil, evil[:-1] + b"t."]):
            with history.transaction() as transaction:
                storage.store(p64(oid), history.serial(oid), data, "", transaction)
    for content in (evil, evil * 2, b"\x80\x03K\x04." + evil):
        index_of(path).write_bytes(content)
        with pytest.raises(FileStorageError):
            read_index(index_of(path))
        contents = scanned(path).contents
        assert contents is not None
        assert contents.classes
    assert not marker.exists()
    pickle.loads(evil)
    assert marker.exists()
