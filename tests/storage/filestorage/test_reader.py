"""A Data.fs with any byte changed or cut off gives ZODB's numbers or an error with a name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ZODB.utils import p64, z64

from tests.support.databases import datafs
from tests.support.databases.counting import followed_numbers, scanned_numbers
from tests.support.databases.history import History, Numbers, record, zodb_numbers
from zope_exporter.storage.filestorage.datafile import (
    FileStorageError,
    NotAFileStorageError,
    opened,
)
from zope_exporter.storage.filestorage.format import Transaction
from zope_exporter.storage.filestorage.reader import DamagedError, DataFile

WINDOW = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed part, stores, an undo of two at once, a deletion and a large record."""
    path = tmp_path_factory.mktemp("damage") / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 5, [1, 2]), (1, 20, [])])
        history.store([(1, 30, [2]), (2, 9, [])])
        history.pack(0, False)
        history.store([(0, 5, [1]), (2, 5, [])])
        history.store([(1, 700, []), (2, 5, [])])
        history.undo([0, 1])
        history.delete(1)
        history.undo([0])
        history.store([(0, 7, [2]), (3, 5, [])])
    path.with_name("Data.fs.index").unlink()
    return path


@contextmanager
def changed(path: Path, position: int, value: int) -> Iterator[None]:
    with path.open("r+b", buffering=0) as file:
        before = os.pread(file.fileno(), 1, position)
        os.pwrite(file.fileno(), bytes([value]), position)
        try:
            yield
        finally:
            os.pwrite(file.fileno(), before, position)


def agree(path: Path) -> bool | None:
    """Whether our scan gives what ZODB gives; None if it says what is wrong instead."""
    try:
        found = numbers(path)
    except FileStorageError as error:
        return None if str(path) in str(error) else False
    return found == zodb_numbers(path)


def numbers(path: Path) -> Numbers:
    return scanned_numbers(path, WINDOW)


def test_undamaged(whole: Path) -> None:
    assert agree(whole)
    assert followed_numbers(whole) == zodb_numbers(whole)


def test_every_byte_changed(whole: Path) -> None:
    silent = []
    statuses = [start + 16 for start in starts(whole)]
    for position, byte in enumerate(whole.read_bytes()):
        # ZODB's own readers disagree on what "u" means.
        for change in b" pc\xff" if position in statuses else {0, 255, byte ^ 1}:
            with changed(whole, position, change):
                if agree(whole) is False:
                    silent.append((position, change))
    assert silent == []


def test_every_byte_changed_under_one_who_follows(whole: Path) -> None:
    """Only a wrong object or previous record may go unseen until the next scan."""
    expected = zodb_numbers(whole)
    names = {
        position + offset for position in records(whole) for offset in (*range(8), *range(16, 24))
    }
    for position, byte in enumerate(whole.read_bytes()):
        with changed(whole, position, byte ^ 1):
            try:
                found = followed_numbers(whole, window=WINDOW)
            except FileStorageError:
                continue
            if position not in names:
                assert found == zodb_numbers(whole), position
    assert followed_numbers(whole) == expected


def test_every_byte_changed_beside_an_index(whole: Path) -> None:
    """What is not current any more is not looked at where there is an index; nor does ZODB."""
    path = whole.with_name("indexed.fs")
    path.write_bytes(whole.read_bytes())
    with datafs.storage_at(path):
        expected = zodb_numbers(path)
    assert numbers(path) == expected
    for position, byte in enumerate(whole.read_bytes()):
        for change in {0, 255, byte ^ 1} - {byte, ord("u")}:
            with changed(path, position, change):
                try:
                    found = numbers(path)
                except FileStorageError:
                    continue
                if found != expected:
                    assert found == zodb_numbers(path), (position, change)


def test_every_truncation(whole: Path) -> None:
    content = whole.read_bytes()
    cut = whole.with_name("cut.fs")
    for size in range(len(content)):
        cut.write_bytes(content[:size])
        if size < 4:
            with pytest.raises(NotAFileStorageError, match="FS21 or FS30"):
                scanned_numbers(cut, WINDOW)
        else:
            assert agree(cut), size
            assert followed_numbers(cut, window=WINDOW) == numbers(cut)


def test_undone_transaction_of_old_does_not_count(whole: Path) -> None:
    *_, last = starts(whole)
    before = numbers(whole)
    with changed(whole, last + 16, ord("u")):
        undone = numbers(whole)
        assert followed_numbers(whole) == undone
    content = whole.read_bytes()
    shorter = whole.with_name("shorter.fs")
    shorter.write_bytes(content[:last])
    expected = numbers(shorter)
    assert undone.transactions == expected.transactions == before.transactions - 1
    assert undone.objects == expected.objects == before.objects - 1
    assert undone.superseded == expected.superseded + len(content) - last


def test_python_2_file(whole: Path) -> None:
    old = whole.with_name("old.fs")
    old.write_bytes(b"FS21" + whole.read_bytes()[4:])
    assert numbers(old) == followed_numbers(old) == numbers(whole)


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_huge_length_takes_no_memory(whole: Path, length: int) -> None:
    content = bytearray(whole.read_bytes())
    huge = whole.with_name("huge.fs")
    position = records(whole)[0]
    content[position + 34 : position + 42] = length.to_bytes(8, "big")
    huge.write_bytes(content)
    for read in (numbers, followed_numbers):
        with pytest.raises(DamagedError, match=f"damaged at byte {position}: "):
            read(huge)


def test_back_pointers_in_a_circle_or_without_end(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 5, [])])
        with history.transaction() as transaction:
            storage.store(p64(1), z64, record(5, []), "", transaction)
    last = records(path)[-1]
    content = bytearray(path.read_bytes())
    content[last + 34 : last + 42] = bytes(8)
    content[last + 42 : last + 50] = last.to_bytes(8, "big")
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="damaged at byte"):
        numbers(path)


def transactions(path: Path) -> Iterator[tuple[DataFile, Transaction]]:
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        for transaction in file.transactions(4, 0):
            yield file, transaction


def starts(path: Path) -> list[int]:
    return [transaction.start for _, transaction in transactions(path)]


def records(path: Path) -> list[int]:
    return [
        position
        for file, transaction in transactions(path)
        for _, position, *_ in file.records(transaction)
    ]
