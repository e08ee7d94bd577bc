"""Transaction ids that are wrong, of the future, twice or not in order cost nothing."""

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from persistent.TimeStamp import TimeStamp
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileIterator

from tests.support.databases import datafs
from tests.support.databases.damages import Transaction, transactions, with_tid
from tests.support.databases.history import History
from tests.support.databases.packing import blob_dir_of, items, make_database
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.recover.order import longest_rise
from zope_exporter.maintenance.recover.recover import salvage
from zope_exporter.maintenance.recover.report import Losses
from zope_exporter.storage.filestorage.full_count import walk

Change = Callable[[bytes, list[Transaction]], bytes]
FUTURE = bytes(TimeStamp(3144, 1, 1).raw())


def recovered(data_fs: Path, content: bytes) -> tuple[Path, Losses]:
    """Recover all but the pickles, which takes a process of its own."""
    path, output = data_fs.with_name("damaged.fs"), data_fs.with_name("recovered.fs")
    path.write_bytes(content)
    output.unlink(missing_ok=True)
    losses = salvage(path, output, Silent())
    walk(output)
    return output, losses


def tids(path: Path) -> list[str]:
    with closing(FileIterator(str(path))) as found:
        return [transaction.tid.hex() for transaction in found]


def oids(path: Path) -> list[tuple[str, int]]:
    with closing(FileIterator(str(path))) as found:
        return [(one.tid.hex(), int.from_bytes(one.oid, "big")) for each in found for one in each]


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """One record a transaction, as most commits are."""
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(number % 5, 100, [0])])
    return data_fs


@pytest.mark.parametrize("year", [2031, 2150, 2200, 3144])
def test_a_clock_that_was_wrong_once_costs_nothing(tmp_path: Path, year: int) -> None:
    """ZODB goes on after the newest id there is, for ever."""
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=5, size=100)
    with datafs.storage_at(data_fs) as storage:
        wrong = TransactionMetaData()
        storage.tpc_begin(wrong, tid=bytes(TimeStamp(year, 1, 1).raw()))
        storage.tpc_vote(wrong)
        storage.tpc_finish(wrong)
    make_database(data_fs, revisions=24, size=100)
    assert tids(data_fs)[-1] > TimeStamp(year, 1, 1).raw().hex()
    output, losses = recovered(data_fs, data_fs.read_bytes())
    assert output.read_bytes() == data_fs.read_bytes()
    assert losses.kept == len(tids(data_fs))
    assert not losses.any


@pytest.mark.parametrize("bit", range(64))
@pytest.mark.parametrize("where", ["header", "record"])
def test_no_bit_of_an_id_costs_a_transaction(single: Path, where: str, bit: int) -> None:
    content = bytearray(single.read_bytes())
    one = transactions(bytes(content))[9]
    at = one.start if where == "header" else one.records[0] + 8
    content[at + bit // 8] ^= 1 << (bit % 8)
    output, losses = recovered(single, bytes(content))
    assert losses.kept == 20
    assert tids(output)[:9] + tids(output)[10:] == tids(single)[:9] + tids(single)[10:]
    if bit < 32:  # the minutes; within one nothing tells which of the two is wrong
        assert tids(output) == tids(single)
    assert any(what.startswith("id, which was") for _, what in losses.repaired)
    assert not losses.any


@pytest.mark.parametrize("where", ["header", "record"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_bit_makes_no_first_or_last_id_of_another_time(
    single: Path, where: str, number: int
) -> None:
    """After a last id of the future each new one would be of the future, too."""
    content = bytearray(single.read_bytes())
    one = transactions(bytes(content))[number]
    content[one.start if where == "header" else one.records[0] + 8] ^= 4
    output, _ = recovered(single, bytes(content))
    assert tids(output) == tids(single)


def test_of_three_ids_two_win(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        history = History(storage)
        for _ in range(5):
            history.store([(0, 100, []), (1, 100, [])])
    original = data_fs.read_bytes()
    one = transactions(original)[2]
    for at in (one.start, *(record + 8 for record in one.records)):
        content = bytearray(original)
        content[at + 7] ^= 1
        output, losses = recovered(data_fs, bytes(content))
        assert output.read_bytes() == original
        assert losses.repaired


def _back(content: bytes, whole: Sequence[Transaction]) -> bytes:
    for number in range(5, 9):
        tid = bytes(TimeStamp(2001, 1, 1, 1, number).raw())
        content = with_tid(content, whole[number], tid)
    return content


ORDERS: dict[str, Change] = {
    "back": _back,
    "one in the future": lambda content, whole: with_tid(content, whole[5], FUTURE),
    "last in the future": lambda content, whole: with_tid(content, whole[-1], FUTURE),
    "as the one before": lambda content, whole: with_tid(content, whole[5], whole[4].tid),
    "all the same": lambda content, whole: with_tid(
        with_tid(content, whole[5], whole[4].tid), whole[6], whole[4].tid
    ),
}


@pytest.mark.parametrize("how", ORDERS)
def test_ids_out_of_order_cost_no_record_and_change_no_current_state(
    tmp_path: Path, how: str
) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=10, size=100)
    before, records = items(data_fs), len(oids(data_fs))
    content = data_fs.read_bytes()
    output, losses = recovered(data_fs, ORDERS[how](content, transactions(content)))
    assert items(output) == before
    assert len(oids(output)) == records
    assert tids(output) == sorted(set(tids(output)))
    assert not losses.lost


@pytest.mark.parametrize("tid", ["of the one before", "of 2001"])
def test_blobs_keep_the_id_that_their_file_is_named_after(tmp_path: Path, tid: str) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=2, size=100, blobs=4)
    content = data_fs.read_bytes()
    one, blob = transactions(content)[4:6]
    wrong = one.tid if tid == "of the one before" else bytes(TimeStamp(2001, 1, 1).raw())
    (path,) = blob_dir_of(data_fs).rglob(f"0x{blob.tid.hex()}.blob")
    path.rename(path.with_name(f"0x{wrong.hex()}.blob"))
    output, losses = recovered(data_fs, with_tid(content, blob, wrong))
    assert items(output)["blob-1"] == b"1" * 1000
    assert not losses.any


def test_a_blob_whose_transaction_needs_another_id_is_named(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=2, size=100, blobs=4)
    content = data_fs.read_bytes()
    blob = transactions(content)[5]
    _, losses = recovered(data_fs, with_tid(content, blob, FUTURE))
    assert losses.any
    text = "\n".join(losses.lines())
    assert f"may be in a file 0x{FUTURE.hex()}.blob" in text
    assert "give it that name" in text


def _cut(content: bytes, whole: list[Transaction]) -> bytes:
    return content[: whole[5].start] + content[whole[8].start :]


MOVES: dict[str, Change] = {
    "exchanged": lambda content, whole: (
        content[: whole[4].start]
        + content[whole[9].start : whole[12].start]
        + content[whole[4].start : whole[9].start]
        + content[whole[12].start :]
    ),
    "twice": lambda content, whole: (
        content[: whole[9].start] + content[whole[4].start : whole[9].start] * 2
        + content[whole[9].start :]
    ),
    "something between": lambda content, whole: (
        content[: whole[4].start] + random.Random(1).randbytes(333) + content[whole[4].start :]
    ),
    "all of it later": lambda content, _: content[:4] + bytes(100) + content[4:],
}  # fmt: skip


@pytest.mark.parametrize("how", MOVES)
def test_transactions_that_were_moved_within_the_file_are_put_back(
    tmp_path: Path, how: str
) -> None:
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        history = History(storage)
        for number in range(16):
            history.store([(number % 3, 100, [0]), (number % 4 + 4, 40, [])])
            if number % 4 == 3:
                history.undo([0])
    content = data_fs.read_bytes()
    output, losses = recovered(data_fs, MOVES[how](content, transactions(content)))
    assert sorted(oids(output)) == sorted(oids(data_fs))
    assert not losses.any, list(losses.lines())
    assert losses.notes or losses.gaps


def test_what_was_cut_out_is_missed(single: Path) -> None:
    content = single.read_bytes()
    output, losses = recovered(single, _cut(content, transactions(content)))
    assert losses.kept == 17
    assert tids(output) == tids(single)[:5] + tids(single)[8:]
    whole = transactions(content)
    assert [gap.lost for gap in losses.lost] == [whole[8].start - whole[5].start]
    assert losses.lost[0].oids == {0, 1, 2}
    assert any("that are missing at byte" in line for line in losses.lines())


def test_a_pointer_to_what_was_cut_out_leads_to_nothing_that_came_in_its_place(
    tmp_path: Path,
) -> None:
    data_fs = tmp_path / "Data.fs"
    with datafs.storage_at(data_fs) as storage:
        for data in (b"N.I1\n.", b"N.I2\n.", b"N.I3\n."):
            with History(storage, len(data_fs.read_bytes())).transaction() as transaction:
                serial = History(storage).serial(1)
                storage.store(bytes(7) + b"\x01", serial, data, "", transaction)
        History(storage, 3000).undo([0])
    content = data_fs.read_bytes()
    whole = transactions(content)
    assert len(whole) == 4
    output, losses = recovered(data_fs, content[: whole[1].start] + content[whole[2].start :])
    with closing(FileIterator(str(output))) as found:
        kept = [one.data for each in found for one in each]
    assert kept == [b"N.I1\n.", b"N.I3\n."]
    assert [[each.oid for each in lost] for _, lost in losses.partial] == [[1]]


@given(st.lists(st.integers(0, 30), max_size=9))
def test_the_longest_rise_is_as_long_as_any(numbers: list[int]) -> None:
    tids = np.array(numbers, np.uint64)
    places = longest_rise(tids).tolist()
    assert places == sorted(places)
    assert all(numbers[one] < numbers[other] for one, other in pairwise(places))
    best = 0
    for chosen in range(1 << len(numbers)):
        part = [number for place, number in enumerate(numbers) if chosen >> place & 1]
        if all(one < other for one, other in pairwise(part)):
            best = max(best, len(part))
    assert len(places) == best
