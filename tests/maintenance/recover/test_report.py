"""What is lost is named, all of it that can still be known, and no more is said than is known."""

import random
import zlib
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.damages import Transaction, transactions
from tests.support.databases.history import History, record
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.recover.recover import recover, salvage
from zope_exporter.maintenance.recover.report import Losses
from zope_exporter.storage.filestorage.full_count import walk

TRANSACTION_HEADER, RECORD_HEADER = 23, 42


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    """Objects 0 to 2 change often, and each transaction makes a new one, which stays."""
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(20):
            history.store([(number % 3, 60, [0]), (100 + number, 40, [])])
    return path


def salvaged(path: Path, content: bytes) -> Losses:
    damaged, output = path.with_name("damaged.fs"), path.with_name("recovered.fs")
    damaged.write_bytes(content)
    output.unlink(missing_ok=True)
    losses = salvage(damaged, output, Silent())
    walk(output)
    return losses


def zeroed(content: bytes, *places: tuple[int, int]) -> bytes:
    changed = bytearray(content)
    for start, end in places:
        changed[start:end] = bytes(end - start)
    return bytes(changed)


def text(losses: Losses) -> str:
    return "\n".join(losses.lines())


def headers(*lost: Transaction) -> list[tuple[int, int]]:
    return [(one.start, one.start + TRANSACTION_HEADER) for one in lost]


def test_all_records_in_a_gap_are_named_not_only_those_of_its_first_transaction(
    data_fs: Path,
) -> None:
    content = data_fs.read_bytes()
    losses = salvaged(data_fs, zeroed(content, *headers(*transactions(content)[8:12])))
    assert [gap.transactions for gap in losses.lost] == [4]
    assert losses.gone == [108, 109, 110, 111]
    assert losses.older == []
    assert "at least 4 transactions after 2026-01-01T00:00:08" in text(losses)
    assert "before 2026-01-01T00:00:13" in text(losses)
    assert "objects 0x0, 0x1, 0x2, 0x6c, 0x6d, 0x6e, 0x6f" in text(losses)
    assert "lost are at least 4 whole transactions" in losses.verdict


def test_objects_whose_last_revision_is_in_a_gap_fell_back(data_fs: Path) -> None:
    content = data_fs.read_bytes()
    losses = salvaged(data_fs, zeroed(content, *headers(*transactions(content)[17:19])))
    assert losses.older == [0, 2]  # 1 was changed once more, in the last transaction
    assert losses.gone == [117, 118]


def test_of_bytes_that_are_gone_later_records_tell_which_objects_had_revisions_there(
    data_fs: Path,
) -> None:
    content = data_fs.read_bytes()
    whole = transactions(content)
    losses = salvaged(data_fs, zeroed(content, (whole[5].start, whole[9].start)))
    (gap,) = losses.lost
    assert gap.oids == {0, 1, 2}
    assert gap.transactions == 1  # so much is sure
    assert "at least 1 transaction after" in text(losses)


def test_objects_that_are_referred_to_and_gone_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 10, [])])
        history.store([(1, 10, [])])
        history.store([(2, 10, [])])
        history.store([(0, 10, [1, 2])])
    content = path.read_bytes()
    whole = transactions(content)
    path.write_bytes(zeroed(content, (whole[1].start, whole[3].start)))
    losses = recover(path, tmp_path / "out.fs", Silent())
    assert losses.dangling == [(0, 1), (0, 2)]
    assert "2 objects that others refer to are not there" in losses.verdict


def test_a_lost_record_is_named_by_the_one_that_follows_it(data_fs: Path) -> None:
    content = data_fs.read_bytes()
    one = transactions(content)[6]
    start = one.records[0]
    losses = salvaged(data_fs, zeroed(content, (start, start + RECORD_HEADER)))
    assert [[each.oid for each in lost] for _, lost in losses.partial] == [[0]]
    assert "objects 0x0" in text(losses)


def test_the_first_records_of_a_transaction_of_which_a_later_one_is_damaged_are_kept(
    data_fs: Path,
) -> None:
    content = data_fs.read_bytes()
    one = transactions(content)[6]
    start = one.records[1]
    losses = salvaged(data_fs, zeroed(content, (start, start + RECORD_HEADER)))
    assert losses.kept == 20
    assert losses.gone == []
    assert [[each.position for each in lost] for _, lost in losses.partial] == [[start]]


@pytest.mark.parametrize("bit", [0, 5, 8, 40, 62])
def test_an_object_id_that_is_not_that_of_the_record_before_is_put_right(
    data_fs: Path, bit: int
) -> None:
    content = bytearray(data_fs.read_bytes())
    at = transactions(bytes(content))[9].records[0]  # the fourth revision of 0
    content[at + 7 - bit // 8] ^= 1 << (bit % 8)
    losses = salvaged(data_fs, bytes(content))
    assert data_fs.with_name("recovered.fs").read_bytes() == data_fs.read_bytes()
    assert "object id 0x0, which was" in text(losses)


def test_an_object_id_is_in_doubt_if_nothing_tells_which_of_two_is_wrong(data_fs: Path) -> None:
    content = bytearray(data_fs.read_bytes())
    second = transactions(bytes(content))[3].records[0]  # of object 0, as is the first
    content[second + 6] ^= 1
    losses = salvaged(data_fs, bytes(content))
    assert losses.any
    assert "the record of object 0x100 in the transaction" in text(losses)
    assert "follows one of object 0x0" in text(losses)
    assert "1 things are in doubt" in losses.verdict


def test_a_pointer_to_the_revision_before_is_put_right(data_fs: Path) -> None:
    content = bytearray(data_fs.read_bytes())
    at = transactions(bytes(content))[9].records[0] + 16
    for bit in (3, 40):
        changed = bytearray(content)
        changed[at + 7 - bit // 8] ^= 1 << (bit % 8)
        losses = salvaged(data_fs, bytes(changed))
        assert data_fs.with_name("recovered.fs").read_bytes() == data_fs.read_bytes()
        assert "pointer to the revision before" in text(losses)
        assert not losses.any


@pytest.mark.parametrize("size", [4, 512])
def test_a_zeroed_beginning_costs_only_what_was_there(data_fs: Path, size: int) -> None:
    content = data_fs.read_bytes()
    losses = salvaged(data_fs, bytes(size) + content[size:])
    recovered = data_fs.with_name("recovered.fs").read_bytes()
    assert recovered[:4] == content[:4]
    assert losses.kept == sum(one.start >= size for one in transactions(content))
    assert losses.any == (size > 4)
    assert "in place of b'FS30'" in text(losses)


def test_the_version_of_python_is_told_by_the_pickles(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    with datafs.storage_at(path) as storage:
        datafs.commit(storage, 1, b"cmodule\nClass\nq\x01.}q\x02.")
    salvaged(path, bytes(4) + path.read_bytes()[4:])
    assert path.with_name("recovered.fs").read_bytes()[:4] == b"FS21"


def test_bytes_between_that_belong_to_nothing_are_no_loss(data_fs: Path) -> None:
    content = data_fs.read_bytes()
    at = transactions(content)[7].start
    losses = salvaged(data_fs, content[:at] + random.Random(3).randbytes(99) + content[at:])
    assert losses.kept == 20
    assert not losses.any
    assert "nothing is missing in their place" in text(losses)


def test_texts_of_wrong_lengths_cost_no_record(data_fs: Path) -> None:
    content = data_fs.read_bytes()
    one = transactions(content)[9]
    for bit in range(48):
        changed = bytearray(content)
        changed[one.start + 17 + bit // 8] ^= 1 << (bit % 8)
        losses = salvaged(data_fs, bytes(changed))
        assert len(data_fs.with_name("recovered.fs").read_bytes()) == len(content), bit
        assert not losses.any, bit
        assert losses.repaired, bit


def test_the_verdict_says_what_was_not_looked_at(data_fs: Path) -> None:
    losses = salvaged(data_fs, data_fs.read_bytes())
    assert losses.verdict.startswith("nothing found missing (the contents of the records were not")
    content = data_fs.read_bytes()
    assert (
        "the contents of the records were not checked"
        in salvaged(data_fs, zeroed(content, *headers(transactions(content)[5]))).verdict
    )


def test_compressed_records_of_a_wrong_length_are_found_by_their_data(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    data = b".z" + zlib.compress(record(300, [0]))
    with datafs.storage_at(path) as storage:
        for number in range(1, 6):
            datafs.commit(storage, number, data)
    content = bytearray(path.read_bytes())
    at = transactions(bytes(content))[2].records[0] + 34
    content[at + 6] ^= 1
    losses = salvaged(path, bytes(content))
    assert path.with_name("recovered.fs").read_bytes() == path.read_bytes()
    assert losses.repaired
