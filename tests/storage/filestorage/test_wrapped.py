"""Data.fs files whose records a storage that wraps the FileStorage has changed."""

import random
import zlib
from pathlib import Path

import pytest
from ZODB.utils import p64, z64

from tests.support.databases import datafs
from tests.support.databases.counting import scanned
from tests.support.databases.history import FORMS, History, compressed, freed_by_pack, record
from zope_exporter.storage.filestorage import contents
from zope_exporter.storage.filestorage.contents import LARGEST_RECORD, Contents
from zope_exporter.storage.filestorage.pickle_machine import strong_references
from zope_exporter.storage.filestorage.records import unpacked
from zope_exporter.storage.filestorage.state import Findings

NOT_FOLLOWED = ("of another", "weak", "weak of another", "weak, then strong")


def write(path: Path, *records: bytes) -> Path:
    """Objects from 0 on, one transaction each."""
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for oid, data in enumerate(records):
            with history.transaction() as transaction:
                storage.store(p64(oid), z64, data, "", transaction)
    return path


def of(path: Path) -> Contents:
    scan = scanned(path)
    assert scan.contents is not None
    return scan.contents


def references(data: bytes) -> set[int]:
    steps = strong_references(data)
    while True:
        try:
            next(steps)
        except StopIteration as end:  # noqa: PERF203 - this is how a generator returns
            found: set[int] = end.value
            return found


def test_classes_and_garbage_of_what_is_compressed(tmp_path: Path) -> None:
    root = compressed(record(500, [1, 2], "m Root"))
    item, lost = compressed(record(900, [], "m Item")), compressed(record(700, [1], "m Lost"))
    path = write(tmp_path / "Data.fs", root, item, record(9, [], "m Small"), lost)
    held = of(path)
    assert dict(held.classes) == {
        "m.Root": len(root),
        "m.Item": len(item),
        "m.Small": len(record(9, [], "m Small")),
        "m.Lost": len(lost),
    }
    assert held.opaque == 0
    assert held.unreachable == freed_by_pack(path, collect=True)


def test_what_is_compressed_from_more_than_a_window(tmp_path: Path) -> None:
    last = 120
    large = record(2 * contents.WINDOW, list(range(1, last)), "m Root")
    many = [compressed(record(90_000, [], "m Item")) for _ in range(last)]
    path = write(tmp_path / "Data.fs", compressed(large), *many)
    held = of(path)
    assert held.unreachable == freed_by_pack(path, collect=True)
    assert set(held.classes) == {"m.Root", "m.Item"}


@pytest.mark.parametrize("size", [contents.WINDOW, LARGEST_RECORD])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_references_in_a_large_record(tmp_path: Path, form: str, size: int) -> None:
    body = b"B" + size.to_bytes(4, "little") + b"x" * size
    data = b"\x80\x03cm\nRoot\nq\x01.\x80\x03(" + body + FORMS[form](p64(1)) + b"t."
    path = write(tmp_path / "Data.fs", data, record(50, []))
    unreachable = of(path).unreachable
    if size < LARGEST_RECORD or form not in NOT_FOLLOWED:
        assert unreachable is not None
    assert unreachable in (None, freed_by_pack(path, collect=True))


def test_what_stands_for_too_much_is_not_unpacked(tmp_path: Path) -> None:
    bomb = b".z" + zlib.compress(bytes(LARGEST_RECORD + 1), 9)
    assert len(bomb) < 1 << 16
    with pytest.raises(zlib.error):
        unpacked(bomb, LARGEST_RECORD)
    held = of(write(tmp_path / "Data.fs", record(10, [1]), bomb))
    assert held.opaque == 1
    assert held.unreachable is None


def test_a_record_that_cannot_be_read_matters_only_where_a_pack_comes_to_it(
    tmp_path: Path,
) -> None:
    damaged = compressed(record(300, []))[:-5]
    path = write(tmp_path / "Data.fs", record(10, [1]), record(20, []), damaged)
    held = of(path)
    assert held.opaque == 1
    assert held.unreachable == freed_by_pack(path, collect=True)


def test_of_what_is_encrypted_neither_classes_nor_garbage_are_told(tmp_path: Path) -> None:
    secret = [b".e" + random.Random(number).randbytes(200) for number in range(20)]
    held = of(write(tmp_path / "Data.fs", *secret))
    assert held.findings(7.0) == Findings(7.0, {}, None, "opaque")


def test_an_object_that_a_pack_looks_for_and_does_not_find(tmp_path: Path) -> None:
    path = write(tmp_path / "Data.fs", record(10, [1]), compressed(record(300, [77])))
    assert of(path).findings(7.0).unknown == "references"
    assert freed_by_pack(path, collect=True) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x03cm\nN\n.",
        b"\x80\x03cm\nN\n.\x80\x03X\x01\0\0\0aQ.",
        b"\x80\x03cm\nN\n.\x80\x03\x86.",
        b"\x80\x03cm\nN\n.\x80\x03t.",
        b"\x80\x03cm\nN\n.\x80\x030.",
        b"\x80\x03cm\nN\n.\x80\x03Pid\n.",
        b"\x80\x03cm\nN\n.\x80\x03q\x01.",
    ],
)
def test_no_record(data: bytes) -> None:
    with pytest.raises(ValueError, match="not the pickles of a record"):
        references(data)


def test_opcodes_that_hardly_occur() -> None:
    begin = b"\x80\x03cm\nN\n.\x80\x03"
    oid = b"C\x08" + p64(7)
    state = (
        b"(" + oid + b"2Q00(" + b"K\x010" + b"1" + b"]K\x01a" + oid + b"r\1\0\0\0000j\1\0\0\0Qt."
    )
    assert references(begin + state) == {7}
    assert references(begin + b"}(X\x01\0\0\0aN" + b"X\x01\0\0\0b" + oid + b"Qu.") == {7}
