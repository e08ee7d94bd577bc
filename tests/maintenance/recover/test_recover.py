"""Recovering damaged files: what is left is right, and what is not is told."""

import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ZODB.FileStorage import FileIterator, FileStorage

from tests.support.databases import datafs
from tests.support.databases.history import OPERATIONS, History
from tests.support.databases.packing import Remembered, items, make_database
from tests.support.faults.system_calls import without_links
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Silent
from zope_exporter.maintenance.recover.recover import recover, salvage
from zope_exporter.maintenance.recover.report import Losses
from zope_exporter.storage.filestorage.full_count import walk

Revision = tuple[bytes, bytes, bytes | None]
Damage = Callable[[bytearray, list[int]], None]


def revisions(data_fs: Path) -> list[Revision]:
    """Every revision of every object, as ZODB reads them."""
    with closing(FileIterator(str(data_fs))) as transactions:
        return [
            (bytes(one.tid), bytes(one.oid), one.data)
            for transaction in transactions
            for one in transaction
        ]


def starts(content: bytes | bytearray) -> list[int]:
    """Where each transaction of a whole file begins."""
    found, position = [], 4
    while position < len(content):
        found.append(position)
        position += struct.unpack_from(">Q", content, position + 8)[0] + 8
    return found


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        history = History(storage)
        for number in range(12):
            history.store([(number % 4, 300 + number, [0, 1, 2, 3]), (number % 3, 50, [])])
        history.undo([0])
        history.store([(0, 10, [1, 2, 3])])
    return data_fs


def damaged(whole: Path, damage: Damage) -> tuple[Path, bytes]:
    content = bytearray(whole.read_bytes())
    damage(content, starts(content))
    path = whole.with_name("damaged.fs")
    path.write_bytes(content)
    return path, bytes(content)


def recovered(path: Path) -> tuple[Path, Losses]:
    output = path.with_name("recovered.fs")
    output.unlink(missing_ok=True)
    return output, recover(path, output, Silent())


def test_of_a_whole_file_nothing_is_lost_and_no_byte_changes(whole: Path) -> None:
    output, losses = recovered(whole)
    assert output.read_bytes() == whole.read_bytes()
    assert not losses.any
    assert list(losses.lines()) == []


def _field(offset: int, value: bytes, number: int = 6) -> Damage:
    def damage(content: bytearray, places: list[int]) -> None:
        at = places[number] + offset
        content[at : at + len(value)] = value

    return damage


def _record_field(offset: int, value: bytes) -> Damage:
    def damage(content: bytearray, places: list[int]) -> None:
        start = places[6]
        texts = sum(struct.unpack_from(">HHH", content, start + 17))
        at = start + 23 + texts + offset
        content[at : at + len(value)] = value

    return damage


def _second_length(content: bytearray, places: list[int]) -> None:
    content[places[7] - 8 : places[7]] = bytes(8)


REPAIRED: dict[str, Damage] = {
    "the second length": _second_length,
    "length 0": _field(8, bytes(8)),
    "length huge": _field(8, b"\xff" * 8),
    "length a little more": _field(15, b"\x01"),
    "status c in the middle": _field(16, b"c"),
    "status 0xff": _field(16, b"\xff"),
    "id higher": _field(0, b"\x07"),
    "id lower": _field(0, b"\x00"),
    "place of the transaction in a record": _record_field(24, b"\x01"),
    "length of a record": _record_field(34, b"\x00\x00\x00\x01"),
}


@pytest.mark.parametrize("what", REPAIRED)
def test_one_wrong_field_costs_nothing(whole: Path, what: str) -> None:
    """Facts 2.5: of these fsrecover loses the transaction, or all that follow, and ends with 0."""
    path, content = damaged(whole, REPAIRED[what])
    assert content != whole.read_bytes()
    output, losses = recovered(path)
    assert revisions(output) == revisions(whole)
    assert losses.repaired
    assert not losses.any


@pytest.mark.parametrize("what", REPAIRED)
def test_it_recovers_no_less_than_fsrecover(whole: Path, what: str) -> None:
    path, _ = damaged(whole, REPAIRED[what])
    theirs = whole.with_name("theirs.fs")
    subprocess.run(
        [sys.executable, "-m", "ZODB.fsrecover", str(path), str(theirs)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    ours, _ = recovered(path)
    assert {tid for tid, _, _ in revisions(theirs)} <= {tid for tid, _, _ in revisions(ours)}
    assert len(revisions(theirs)) <= len(revisions(ours))


def test_zeroed_bytes_cost_what_they_covered_and_it_is_named(whole: Path) -> None:
    path, _ = damaged(whole, lambda content, at: content.__setitem__(
        slice(at[5] - 20, at[5] + 60), bytes(80)))  # fmt: skip
    output, losses = recovered(path)
    assert set(revisions(output)) < set(revisions(whole))
    assert losses.any
    assert any("lost" in line for line in losses.lines())


def test_objects_that_fell_back_and_objects_that_are_gone_are_named(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        history = History(storage)
        history.store([(0, 10, [1, 2]), (1, 10, [])])
        history.store([(1, 20, []), (2, 20, [])])
        history.store([(3, 10, [])])
    content = bytearray(data_fs.read_bytes())
    second, third = starts(content)[1:]
    # Its header, so that no more than the objects in it can be told.
    content[second : second + 23] = bytes(23)
    data_fs.write_bytes(content)
    _, losses = recovered(data_fs)
    assert losses.older == [1]
    assert losses.gone == [2]
    assert losses.dangling == [(0, 2)]
    text = "\n".join(losses.lines())
    assert "object 0x1 fell back to an earlier revision" in text
    assert "object 0x2 is lost with all its revisions" in text
    assert "object 0x0 refers to 0x2, which is not there" in text
    assert third > second


def test_a_pickle_that_is_none_any_more_is_told(whole: Path) -> None:
    def damage(content: bytearray, _: list[int]) -> None:
        content[-60:-8] = b"\xff" * 52

    _, losses = recovered(damaged(whole, damage)[0])
    assert losses.unreadable
    assert losses.any


def test_a_transaction_cut_off_at_the_end_was_never_committed(whole: Path) -> None:
    last = starts(whole.read_bytes())[-1]
    for end in (last + 5, last + 30, whole.stat().st_size - 1):
        path = whole.with_name("cut.fs")
        path.write_bytes(whole.read_bytes()[:end])
        output, losses = recovered(path)
        assert output.read_bytes() == whole.read_bytes()[:last]
        assert not losses.any
        assert "never committed" in "\n".join(losses.lines())


def test_the_output_needs_no_hard_links(whole: Path) -> None:
    target = whole.with_name("recovered.fs")
    run = without_links(require(tool, "strace"), lambda: recover(whole, target, Silent()))
    assert run.error is None, run
    assert target.read_bytes() == whole.read_bytes()


def test_an_existing_output_is_never_overwritten(whole: Path) -> None:
    output = whole.with_name("there.fs")
    output.write_text("precious")
    with pytest.raises(RefusedError):
        recover(whole, output, Silent())
    assert output.read_text() == "precious"
    assert len(list(whole.parent.glob("*.tmp"))) == 1  # ZODB's own


def test_what_is_no_data_fs_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG" * 1000)
    with pytest.raises(ActionError, match="not a FileStorage"):
        recover(path, tmp_path / "out.fs", Silent())
    assert [each.name for each in tmp_path.iterdir()] == ["image.png"]


def test_a_copy_of_a_data_fs_within_the_data_is_not_taken_for_transactions(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.fs", tmp_path / "outer.fs"
    datafs.write(inner, 5)
    with datafs.storage_at(outer) as storage:
        datafs.commit(storage, 1)
        datafs.commit(storage, 2, inner.read_bytes())
        datafs.commit(storage, 3)
    content = bytearray(outer.read_bytes())
    place = starts(content)[1]
    content[place : place + 60] = bytes(60)
    outer.write_bytes(content)
    output, losses = recovered(outer)
    assert [oid for _, oid, _ in sorted(revisions(output))] == [
        number.to_bytes(8, "big") for number in (1, 3)
    ]
    assert losses.any


def test_a_real_database_is_as_before_but_for_the_last_state(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=5)
    before = items(data_fs)
    content = bytearray(data_fs.read_bytes())
    content[starts(content)[2] : starts(content)[2] + 100] = bytes(100)
    data_fs.write_bytes(content)
    output, losses = recovered(data_fs)
    assert items(output) == before
    assert losses.any
    FileStorage(str(output)).close()


def test_a_record_that_is_lost_with_the_lengths_of_the_texts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 0, []), (1, 0, [])])
        history.store([(0, 100, [])])
    content = bytearray(path.read_bytes())
    content[23:103] = bytes(80)
    path.write_bytes(content)
    losses = salvage(path, tmp_path / "out.fs", Silent())
    assert losses.partial
    assert losses.any


def test_progress_is_told_to_the_last_byte(whole: Path) -> None:
    report = Remembered()
    recover(whole, whole.with_name("out.fs"), report)
    assert report.stages[0] == (f"reading {whole}", whole.stat().st_size)
    assert report.done >= whole.stat().st_size


def _mutations(content: bytes) -> st.SearchStrategy[tuple[int, bytes]]:
    junk = st.one_of(st.binary(min_size=1, max_size=3), st.sampled_from([bytes(80), bytes(600)]))
    return st.tuples(st.integers(4, len(content) - 1), junk)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_is_damaged_no_loss_is_silent_and_nothing_is_made_up(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("fuzz")
    path = directory / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for operation in data.draw(st.lists(OPERATIONS, min_size=1, max_size=6)):
            history.do(operation)
        history.store([(0, 100, [])])
    original = path.read_bytes()
    content = bytearray(original)
    # One place: where both copies of a field are damaged alike, nothing tells.
    at, junk = data.draw(_mutations(original))
    content[at : at + len(junk)] = junk
    content = content[: len(original)]
    # Of an object's id and data there is no second copy: their damage cannot be seen.
    expected = sorted(tid for tid, _, _ in revisions(path))
    path.write_bytes(content)
    output = directory / "recovered.fs"
    losses = salvage(path, output, Silent())
    walk(output)
    found = sorted(tid for tid, _, _ in revisions(output))
    told = losses.any or any(gap.unfinished for gap in losses.gaps)
    renamed = any(what.startswith("id") for _, what in losses.repaired)
    assert told or renamed or found == expected
    output.unlink()
    path.unlink()
