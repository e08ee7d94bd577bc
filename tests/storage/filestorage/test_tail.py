import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ZODB.Connection import TransactionMetaData

from tests.support.databases import datafs
from zope_exporter.storage.filestorage.datafile import (
    DataFileMissingError,
    FileStorageError,
    NotAFileStorageError,
    TornTailError,
    UnreadableError,
)
from zope_exporter.storage.filestorage.format import Transaction
from zope_exporter.storage.filestorage.tail import read_tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


def last_tid(path: Path, known: Transaction | None = None) -> bytes | None:
    last = read_tail(path, known).last
    return None if last is None else last.tid.to_bytes(8, "big")


def first_transaction(path: Path) -> Transaction:
    """What the reader knows of a file after its first transaction."""
    datafs.write(path.with_name("first.fs"), 1)
    last = read_tail(path.with_name("first.fs")).last
    assert last is not None
    return last


def outcome(path: Path, known: Transaction | None = None) -> bytes | type[Exception] | None:
    try:
        return last_tid(path, known)
    except FileStorageError as error:
        return type(error)


@pytest.mark.parametrize("magic", [b"FS21", b"FS30"])
def test_finds_the_last_transaction(path: Path, magic: bytes) -> None:
    datafs.write(path, 3)
    path.write_bytes(magic + path.read_bytes()[4:])
    assert last_tid(path) == datafs.tid(3)


def test_empty_storage_has_no_transaction(path: Path) -> None:
    with datafs.storage_at(path):
        assert read_tail(path).last is None


def test_transaction_without_records_counts(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1)
        nothing = TransactionMetaData()
        storage.tpc_begin(nothing, tid=datafs.tid(2))
        storage.tpc_vote(nothing)
        storage.tpc_finish(nothing)
    assert last_tid(path) == datafs.tid(2)


def test_large_transaction(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1, os.urandom(20_000_000))
    assert last_tid(path) == datafs.tid(1)


def test_undo_is_a_transaction_of_its_own(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1)
        datafs.commit(storage, 2)
        undo = TransactionMetaData()
        storage.tpc_begin(undo, tid=datafs.tid(3))
        storage.undo(storage.undoLog(0, 1)[0]["id"], undo)
        storage.tpc_vote(undo)
        storage.tpc_finish(undo)
    assert last_tid(path) == datafs.tid(3)


def test_voted_transaction_is_not_committed(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        first = datafs.vote(storage, 1)
        assert read_tail(path).last is None
        storage.tpc_finish(first)
        assert last_tid(path) == datafs.tid(1)
        second = datafs.vote(storage, 2)
        assert last_tid(path) == datafs.tid(1)
        storage.tpc_abort(second)
        assert last_tid(path) == datafs.tid(1)
        datafs.commit(storage, 3)
        assert last_tid(path) == datafs.tid(3)


def test_every_truncation(path: Path) -> None:
    ends = datafs.write(path, 3)
    known = first_transaction(path)
    for size in range(ends[-1] - 1, -1, -1):
        os.truncate(path, size)
        whole = sum(end <= size for end in ends)
        if size < 4:
            assert outcome(path) is outcome(path, known) is NotAFileStorageError
        elif size in (4, *ends):
            expected = datafs.tid(whole) if whole else None
            assert outcome(path) == outcome(path, known) == expected
        else:
            assert outcome(path) is TornTailError
            expected_from_known = datafs.tid(whole) if whole else TornTailError
            assert outcome(path, known) == expected_from_known


def test_every_change_of_a_byte_in_the_last_two_transactions(path: Path) -> None:
    ends = datafs.write(path, 3)
    known = first_transaction(path)
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for position in range(ends[0], ends[2]):
            for value in set(range(256)) - {content[position]}:
                os.pwrite(file.fileno(), bytes([value]), position)
                found = outcome(path)
                if position == ends[1] + 16:
                    right = {" ": 3, "p": 3, "u": 3, "c": 2}.get(chr(value))
                    assert found == (datafs.tid(right) if right else TornTailError)
                else:
                    assert found in (datafs.tid(3), TornTailError), (position, value)
                expected = datafs.tid(2) if found is TornTailError else found
                assert outcome(path, known) == expected, (position, value)
            os.pwrite(file.fileno(), content[position : position + 1], position)
    assert last_tid(path) == datafs.tid(3)


@given(tail=st.binary(max_size=120), knows=st.booleans())
def test_garbage_at_the_end(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, knows: bool
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "Data.fs"
    datafs.write(path, 1)
    known = first_transaction(path) if knows else None
    with path.open("ab") as file:
        file.write(tail)
    if not tail or knows:
        assert outcome(path, known) == datafs.tid(1)
    else:
        assert outcome(path) is TornTailError


def test_copy_of_a_data_fs_stored_as_data_is_not_believed(path: Path) -> None:
    inner = path.with_name("inner.fs")
    datafs.write(inner, 2)
    with datafs.storage_at(path) as storage:
        start = datafs.commit(storage, 5)
        datafs.commit(storage, 6, inner.read_bytes())
    copied = path.read_bytes().rindex(inner.read_bytes(), start) + inner.stat().st_size
    os.truncate(path, copied)
    assert outcome(path) is TornTailError


def test_goes_on_from_what_was_known_when_the_end_is_torn(path: Path) -> None:
    ends = datafs.write(path, 200)
    os.truncate(path, ends[-1] - 1)
    tail = read_tail(path, first_transaction(path))
    assert tail.last is not None
    assert tail.last.tid.to_bytes(8, "big") == datafs.tid(199)
    assert (tail.last.start, tail.last.end) == (ends[-3], ends[-2])
    assert tail.torn is not None
    assert tail.torn.modified == path.stat().st_mtime


def test_what_was_known_of_another_file_does_not_count(path: Path) -> None:
    known = first_transaction(path)
    other = path.with_name("other.fs")
    with datafs.storage_at(other) as storage:
        datafs.commit(storage, 7)
        datafs.commit(storage, 8)
    os.truncate(other, other.stat().st_size - 1)
    assert outcome(other, known) is TornTailError
    assert outcome(other, known._replace(start=2**40, end=2**40 + 100)) is TornTailError


def test_two_unfinished_transactions_cannot_be(path: Path) -> None:
    ends = datafs.write(path, 3)
    with path.open("r+b") as file:
        for start in ends[:2]:
            file.seek(start + 16)
            file.write(b"c")
    assert outcome(path) is TornTailError


def test_reading_leaves_no_descriptor_and_changes_nothing(path: Path) -> None:
    datafs.write(path, 2)
    before = path.read_bytes(), path.stat().st_mtime_ns
    descriptors = sorted(Path("/proc/self/fd").iterdir())
    read_tail(path)
    assert len(sorted(Path("/proc/self/fd").iterdir())) == len(descriptors)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert {entry.name for entry in path.parent.glob("Data.fs*")} == {
        "Data.fs",
        "Data.fs.index",
        "Data.fs.lock",
        "Data.fs.tmp",
    }


def test_what_is_no_file_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UnreadableError, match=str(path)):
        read_tail(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnreadableError, match="a directory, not a regular file"):
        read_tail(path)


def test_missing_file(path: Path) -> None:
    with pytest.raises(DataFileMissingError, match="Do not start"):
        read_tail(path)


def test_of_a_file_in_a_container_that_has_ended_nothing_is_known(tmp_path: Path) -> None:
    """A person who is told that it is missing would restore what is not lost."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(UnreadableError, match="a container that is not running"):
        read_tail(Path(f"/proc/{ended.pid}/root") / tmp_path.relative_to("/") / "Data.fs")
