import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from ZODB.utils import p64, z64

from tests.support.databases import datafs
from tests.support.databases.counting import scanned
from tests.support.databases.history import History, record
from zope_exporter.storage.filestorage import contents
from zope_exporter.storage.filestorage.contents import Contents
from zope_exporter.storage.filestorage.references import REFERENCES_A_STEP, References


def found(data: bytes, oids: list[int], doubtful: Sequence[int] = ()) -> list[int]:
    """Which of the objects one record refers to; it is `doubtful` if it has to be gone through."""
    references = References(np.array(oids, np.uint64))
    references.order = np.zeros(1, np.uint32)
    array = np.frombuffer(data, np.uint8)
    left = references.find(array, np.array([0]), np.array([len(data)]), np.array([0]))
    assert left.tolist() == list(doubtful)
    references.take(1)
    return [oids[row] for row in references.targets.values]


def reachable(references: References) -> list[int]:
    steps = references.reachable(0)
    while True:
        try:
            next(steps)
        except StopIteration as end:  # noqa: PERF203 - this is how a generator returns
            return list(np.flatnonzero(end.value))


def of(path: Path) -> Contents:
    scan = scanned(path)
    assert scan.contents is not None
    return scan.contents


@pytest.mark.parametrize("opcode", [b"C", b"U"])
def test_both_generations_of_references(opcode: bytes) -> None:
    data = b"cm\nN\n.(" + opcode + b"\x08" + p64(0x4308) + b"Q" + opcode + b"\x08" + p64(7) + b"Qt."
    assert found(data, [1, 7, 0x4308]) == [0x4308, 7]


@pytest.mark.parametrize("data", [b"", b"C\x08", b"C\x08" + p64(7)[:7], b"K\x08" + p64(7), p64(7)])
def test_no_reference(data: bytes) -> None:
    assert found(data, [7]) == []


def test_unknown_objects_and_ends_of_records() -> None:
    data = b"C\x08" + p64(7) + b"QC\x08" + p64(8) + b"Q"
    assert found(data, [1, 8], doubtful=[0]) == []
    assert found(data[:-2], [7, 8]) == [7]
    assert found(data, []) == []


def referring(targets: Sequence[npt.NDArray[np.uint32]]) -> References:
    """Objects that refer to these others, read in an order that is not that of their ids."""
    references = References(np.arange(len(targets), dtype=np.uint64))
    references.order = np.random.default_rng(17).permutation(len(targets)).astype(np.uint32)
    references.targets.extend(np.concatenate([targets[row] for row in references.order]))
    counts = [len(targets[row]) for row in references.order]
    references.ends.extend(np.cumsum(counts).astype(np.uint64))
    return references


def test_reachable_in_circles_and_long_chains() -> None:
    rows = np.arange(1000, dtype=np.uint32)
    following = np.where(rows < 900, (rows + 1) % 900, rows)
    following[950:952] = 951, 950
    targets = [following[row : row + 1] for row in rows]
    assert reachable(referring(targets)) == list(range(900))


def test_reachable_a_part_at_a_time() -> None:
    """More references than are followed at once, to many from one and to one from many."""
    count = 2 * REFERENCES_A_STEP
    rows = np.arange(count, dtype=np.uint32)
    targets = [np.repeat(rows[8 * row + 1 : 8 * row + 9], 2) for row in rows[:-10]]
    targets[0] = rows[1:count:3]
    targets += [rows[:0]] * 10
    met, newest = {0}, {0}
    while newest:
        newest = {target for row in newest for target in targets[row].tolist()} - met
        met |= newest
    assert len(met) > REFERENCES_A_STEP
    assert reachable(referring(targets)) == sorted(met)


def test_references_in_large_records_and_over_window_edges(tmp_path: Path) -> None:
    """Each reference sits at another place relative to where a window ends."""
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        size = contents.WINDOW
        pointers = {size - 300 + 11 * oid: oid for oid in range(1, 50)}
        pointers |= {2 * size - 1000 + 11 * oid: oid for oid in range(50, 100)}
        body = bytearray(3 * size)
        for position, oid in pointers.items():
            body[position : position + 11] = b"C\x08" + p64(oid) + b"Q"
        with history.transaction() as transaction:
            data = b"cm\nRoot\n.(B" + len(body).to_bytes(4, "little") + bytes(body) + b"t."
            storage.store(p64(0), z64, data, "", transaction)
        with history.transaction() as transaction:
            for oid in range(1, 110):
                storage.store(p64(oid), z64, record(50, []), "", transaction)
    held = of(path)
    assert held.unreachable == 10 * (42 + len(record(50, [])))


def test_without_a_root_nothing_is_said_of_garbage(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    datafs.write(path, 3)
    assert of(path).unreachable is None


def test_a_text_whose_length_and_beginning_look_like_a_reference(tmp_path: Path) -> None:
    """The opcode of a short string, eight, and six characters of it before a `Q`."""
    path = tmp_path / "Data.fs"
    text = pickle.dumps("abcdefQ".ljust(ord("U") + (8 << 8)), 3)
    assert b"U\x08\0\0abcdefQ" in text
    with datafs.storage_at(path) as storage, History(storage).transaction() as transaction:
        storage.store(p64(0), z64, b"cm\nRoot\n." + text, "", transaction)
    held = of(path)
    assert (held.unreachable, held.unknown) == (0, None)


def test_classes_are_those_of_current_records(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(3):
            with history.transaction() as transaction:
                for oid, name in enumerate(["m Root", "m A", "m A", "m.n B"]):
                    data = record(100 * (number + 1), [], name)
                    storage.store(p64(oid), history.serial(oid), data, "", transaction)
        with history.transaction() as transaction:
            storage.store(p64(9), z64, os.urandom(77), "", transaction)
        history.undo([1])
        history.delete(1)
    classes = of(path).classes
    sizes = {name: len(record(200, [], name)) for name in ("m Root", "m A", "m.n B")}
    assert dict(classes) == {
        "m.Root": sizes["m Root"],
        "m.A": sizes["m A"],
        "m.n.B": sizes["m.n B"],
        "other": 77,
    }
