"""Going through the pickles: in little memory, and where they are compressed or encrypted."""

import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.history import record
from tests.support.databases.packing import make_database
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.recover.recover import recover

COMMAND = [sys.executable, "-m", "zope_exporter", "recover"]


def compressed(data: bytes) -> bytes:
    """As zc.zlibstorage stores it."""
    return b".z" + zlib.compress(data, 1)


def encrypted(data: bytes) -> bytes:
    return random.Random(data).randbytes(len(data))


def stored(path: Path, records: list[bytes]) -> None:
    with datafs.storage_at(path) as storage:
        for number, data in enumerate(records, 1):
            datafs.commit(storage, number, data)


def limited(limit: str, data_fs: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Recover in a shell whose `ulimit` is so."""
    shell = f'ulimit {limit} && exec "$@"'
    return subprocess.run(
        ["/bin/bash", "-c", shell, "bash", *COMMAND, str(data_fs), str(output)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("kilobytes", [1_000_000, 4_000_000, 16_000_000])
@pytest.mark.parametrize("option", ["-v", "-Sv"])
def test_it_goes_with_any_limit_to_the_memory(tmp_path: Path, option: str, kilobytes: int) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=3)
    run = limited(f"{option} {kilobytes}", data_fs, tmp_path / "out.fs")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out.fs").read_bytes() == data_fs.read_bytes()


def test_what_needs_more_memory_than_there_may_be_is_not_called_damaged(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    bomb = compressed(b"cmodule\nClass\nq\x01.B" + (1 << 28).to_bytes(4, "little") + bytes(1 << 28))
    stored(data_fs, [record(10, []), bomb])
    run = limited("-v 800000", data_fs, tmp_path / "out.fs")
    assert run.returncode == 1, run.stderr
    assert "object 0x2 has data too large for the memory allowed" in run.stdout
    assert "no pickle" not in run.stdout


def test_compressed_records_are_gone_through(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    records = [compressed(record(300, [number])) for number in (1, 2, 77)]
    stored(data_fs, [*records, compressed(record(300, []))[:-9], record(10, [88])])
    losses = recover(data_fs, tmp_path / "out.fs", Silent())
    assert losses.dangling == [(3, 77), (5, 88)]
    assert losses.unreadable == [4]
    assert not losses.opaque


def test_encrypted_records_are_told_of_once_and_are_no_loss(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    stored(data_fs, [encrypted(record(300 + number, [])) for number in range(300)])
    losses = recover(data_fs, tmp_path / "out.fs", Silent())
    assert losses.kept == 300
    assert not losses.any
    told = list(losses.lines())
    assert told == [
        "300 of 300 current records are no pickles but compressed or encrypted: their contents"
        " were not inspected"
    ]


def test_of_many_readable_records_the_unreadable_ones_are_named(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    stored(data_fs, [record(50, []), record(60, []), encrypted(record(70, [])), record(80, [])])
    losses = recover(data_fs, tmp_path / "out.fs", Silent())
    assert losses.unreadable == [3]
    assert losses.any


def _hostile(harm: Path) -> Iterator[bytes]:
    yield b"cmodule\nClass\nq\x01.(r\xff\xff\xff\x7f."  # a memo of two thousand million
    yield b"cos\nsystem\n(S'touch " + bytes(harm) + b"'\ntR.N."
    yield b"cmodule\nClass\nq\x01." + b"(" * 100_000 + b"."


def test_hostile_pickles_are_not_run_and_end_nothing(tmp_path: Path) -> None:
    data_fs, harm = tmp_path / "Data.fs", tmp_path / "harm"
    stored(data_fs, [*_hostile(harm), *(record(50, []) for _ in range(4))])
    losses = recover(data_fs, tmp_path / "out.fs", Silent())
    assert losses.kept == 7
    assert {*losses.unreadable, *losses.too_large} >= {1, 3}
    assert not harm.exists()
