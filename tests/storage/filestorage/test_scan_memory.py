"""What a scan may have in memory, and where it has what is beyond that."""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import datafs
from tests.support.databases.counting import numbers, scanned
from tests.support.databases.history import COMMITS, History, Operation, write_large
from tests.support.faults.small_disk import small_disk_at
from zope_exporter.storage.filestorage.columns import Column, zeros
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import RETRY_SECONDS, Rescan
from zope_exporter.storage.filestorage.scan_memory import NoRoomError, ScanMemory

# What all arrays of the scan below would take is some times as much.
BOUND = 2_000_000
FIXED = 24_000_000  # windows, and what numpy takes for a part of a column
OBJECTS = 1_000_000
BOUNDED = f"""
import os, resource, sys
from pathlib import Path
from tests.support.databases.counting import scanned
from zope_exporter.storage.filestorage.scan_memory import ScanMemory
large, small, directory = map(Path, sys.argv[1:])
scanned(small)
[used] = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData"))
most = int(used) * 1024 + {FIXED} + {BOUND}
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
scan = scanned(large, memory=ScanMemory({BOUND}, directory))
print(scan.full_count.totals().objects, scan.contents.unreachable)
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scan-memory")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(COMMITS, max_size=15), most=st.integers(0, 60_000))
def test_a_scan_finds_the_same_wherever_its_arrays_are(
    directory: Path, operations: list[Operation], most: int
) -> None:
    path = directory / "Data.fs"
    for left in directory.glob("Data.fs*"):
        left.unlink()
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 10, [1, 2, 3]), *((oid, 20 * oid, []) for oid in range(1, 10))])
        for operation in operations:
            history.do(operation)
    memory = ScanMemory(most, directory / "spilled")
    expected, scan = scanned(path), scanned(path, memory=memory)
    assert memory.used <= most
    assert scan.full_count.totals() == expected.full_count.totals()
    assert scan.contents is not None
    assert expected.contents is not None
    assert scan.contents.findings(0.0) == expected.contents.findings(0.0)
    assert list((directory / "spilled").glob("*")) == []


def write_many(path: Path) -> None:
    """Many small objects, a tree of them, with an index: too many to store them one by one."""
    record = np.dtype(
        [
            *(("oid", ">u8"), ("tid", ">u8"), ("previous", ">u8"), ("transaction", ">u8")),
            *(("version", ">u2"), ("length", ">u8"), ("class", "V8"), ("opcode", "V2")),
            *(("left", ">u8"), ("between", "V3"), ("right", ">u8"), ("end", "V2")),
        ]
    )
    records = np.zeros(OBJECTS, record)
    records["oid"] = np.arange(OBJECTS)
    records["tid"], records["transaction"], records["length"] = 1 << 56, 4, 31
    records["class"], records["opcode"] = np.void(b"cm\nI\n.\x80\x03"), np.void(b"C\x08")
    records["between"] = np.void(b"QC\x08")
    for side, name in enumerate(("left", "right"), 1):
        records[name] = np.minimum(2 * records["oid"] + side, OBJECTS - 1)
    records["end"] = np.void(b"Q.")
    body = records.tobytes()
    length = (23 + len(body)).to_bytes(8, "big")
    header = (1 << 56).to_bytes(8, "big") + length + b" " + bytes(6)
    path.write_bytes(b"FS30" + header + body + length)
    path.with_name("large.fs.index").write_bytes(b"".join(index_of(record.itemsize)))


def index_of(size: int) -> Iterator[bytes]:
    """As ZODB writes it, of records of that size from the first transaction on."""
    yield pickled(4 + 23 + OBJECTS * size + 8)
    places = (4 + 23 + size * np.arange(OBJECTS)).astype(">u8").view(np.uint8).reshape(-1, 8)
    for begin in range(0, OBJECTS, 1 << 16):
        part = places[begin : begin + (1 << 16)]
        entries = np.arange(len(part)).astype(">u2").tobytes() + part[:, 2:].tobytes()
        yield pickled(((begin >> 16).to_bytes(6, "big"), entries))
    yield pickled(None)


def pickled(what: object) -> bytes:
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 3)
    pickler.fast = True
    pickler.dump(what)
    return file.getvalue()


def test_more_than_the_bound_is_never_in_memory(tmp_path: Path) -> None:
    """The system refuses the process any more; what is mapped from files does not count there."""
    large, small = tmp_path / "large.fs", tmp_path / "small.fs"
    write_many(large)
    write_large(small, 100)
    files = [str(large), str(small), str(tmp_path / "spilled")]
    command = [sys.executable, "-c", BOUNDED, *files]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.stdout.split() == [str(OBJECTS), "0"], child.stderr[-2000:]
    # The same without a bound would need more than that.
    command[2] = BOUNDED.replace(f"ScanMemory({BOUND}, directory)", "None")
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Cannot allocate memory" in child.stderr or "MemoryError" in child.stderr


def test_without_room_a_scan_ends_and_says_why(tmp_path: Path) -> None:
    path, now = tmp_path / "Data.fs", [1e9]
    write_large(path)
    with small_disk_at(tmp_path / "state") as state:
        spilled = state / "filestorage"
        followed = Followed(path)
        rescan = Rescan(followed, lambda: now[0], ScanMemory(0, spilled))
        filler = state / "filler"
        filler.write_bytes(bytes(os.statvfs(state).f_bavail * 4096 - 100_000))
        while rescan.step():
            pass
        assert isinstance(rescan.problem, NoRoomError)
        assert f"in {spilled}, beyond the memory that it may take: " in str(rescan.problem)
        assert "make room there, or let scan_memory be more" in str(rescan.problem)
        assert followed.known.findings is None
        filler.unlink()
        now[0] += RETRY_SECONDS
        while rescan.step():
            pass
        assert rescan.problem is None
        assert followed.known.findings is not None
        assert numbers(scanned(path).full_count.totals()).objects == 30_000


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoRoomError, match=r"needs another 3 B in .*/file/x, .*: Not a directory"):
        ScanMemory(2, tmp_path / "file" / "x").mapping(3)


def test_what_is_let_go_of_is_room_again(tmp_path: Path) -> None:
    memory = ScanMemory(1000, tmp_path)
    first = zeros(memory, 100, np.uint64)
    view = first[3:]
    zeros(memory, 100, np.uint64)[:] = 1
    assert memory.used == 800
    del first
    assert memory.used == 800
    del view
    assert memory.used == 0


@given(st.lists(st.lists(st.integers(0, 1 << 33), max_size=20)))
def test_a_column_holds_what_it_was_given(parts: list[list[int]]) -> None:
    column = Column(ScanMemory())
    for part in parts:
        column.extend(np.array(part, np.uint64))
    assert column.values.tolist() == [*chain(*parts)]
    assert len(column) == len(column.values)
