"""What a backup reads: any bytes at all, and files that are written to meanwhile."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.databases.datafs import write
from tests.support.databases.repository import Site
from zope_exporter.maintenance.backup.stream_check import (
    BrokenStructureError,
    StreamCheck,
    find_end,
)
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.reader import DataFile

TRANSACTIONS = 4
ROUNDS = 12
_WRITE = """
import select, sys, time
import transaction, ZODB
from persistent.mapping import PersistentMapping
database = ZODB.DB(sys.argv[1])
root = database.open().root()
# A site has objects that are seldom written; of one that is rewritten from end to end and then
# packed nothing is left that a backup knows it by.
site = root["site"] = PersistentMapping()
transaction.commit()
number = 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    site["item"] = bytes(number % 5000)
    transaction.commit()
    number += 1
    if number % 60 == 0:
        database.pack(time.time())
    if number == 1:
        print("writing", flush=True)
database.close()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("readers") / "Data.fs"
    write(path, TRANSACTIONS)
    return path.read_bytes()


@st.composite
def damages(draw: st.DrawFn) -> tuple[list[tuple[float, bytes]], float]:
    """Where, as a part of the length, other bytes are put in place; and where it is cut off."""
    place = st.floats(0, 1)
    odd = st.sampled_from([b"\xff" * 8, bytes(8), b"c", b"\0", b"\xff", b"\0\0\0\1"])
    changes = st.lists(st.tuples(place, st.one_of(st.binary(max_size=20), odd)), max_size=4)
    return draw(changes), draw(st.one_of(st.just(1.0), place))


def damaged(whole: bytes, damage: tuple[list[tuple[float, bytes]], float]) -> bytes:
    data, (changes, cut) = bytearray(whole), damage
    for place, new in changes:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    return bytes(data[: int(cut * len(data))])


def followed(data: bytes, sizes: list[int]) -> tuple[object, ...]:
    """What a structure makes of bytes that come in pieces of these sizes, and then the rest."""
    structure, error = StreamCheck(), ""
    try:
        for size in sizes:
            structure.feed(data[:size])
            data = data[size:]
        structure.feed(data)
    except BrokenStructureError as broken:
        error = str(broken)
    if error:
        return (error,)
    return (structure.position, structure.tid, structure.transactions, structure.records)


@given(damages(), st.lists(st.integers(1, 200), max_size=12))
def test_promise_26_any_bytes_are_followed_alike_in_whatever_pieces_they_come(
    whole: bytes, damage: tuple[list[tuple[float, bytes]], float], sizes: list[int]
) -> None:
    data = damaged(whole, damage)
    assert followed(data, sizes) == followed(data, [])


@given(damages())
def test_promise_26_the_end_of_any_bytes_is_found_or_refused(
    whole: bytes,
    tmp_path_factory: pytest.TempPathFactory,
    damage: tuple[list[tuple[float, bytes]], float],
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.fs"
    data = damaged(whole, damage)
    path.write_bytes(data)
    with suppress(FileStorageError), opened(path) as descriptor:
        end = find_end(DataFile(path, descriptor), 0, 0)
        assert end <= max(len(data), 4)


def test_promise_27_backups_of_a_file_that_is_written_to_and_packed_are_good(
    site: Site, tmp_path: Path
) -> None:
    site.data_fs.unlink()
    script = tmp_path / "write.py"
    script.write_text(_WRITE)
    command = [sys.executable, str(script), str(site.data_fs)]
    kinds = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        assert writer.stdin
        assert writer.stdout.readline() == "writing\n"
        for _ in range(ROUNDS):
            kinds.append(site.back_up(keep=2).kind)
            verdict = site.verify()
            assert verdict.ok, verdict.failures
        assert writer.poll() is None
        writer.stdin.close()
        assert writer.wait(60) == 0
    assert set(kinds) <= {"full", "incremental", "unchanged"}
    assert len(kinds) == ROUNDS
