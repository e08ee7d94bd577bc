"""A scan that is interrupted, taken up again, and found to be of another file."""

import os
import shutil
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.counting import numbers, scanned
from tests.support.databases.history import History, zodb_numbers
from zope_exporter.storage.filestorage import contents
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.full_count import FullCount
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.rescan import (
    RESCAN_SECONDS,
    RETRY_SECONDS,
    SAVE_SECONDS,
    Rescan,
)
from zope_exporter.storage.filestorage.scan import Scan, restored
from zope_exporter.storage.filestorage.state import Store
from zope_exporter.system.state import open_state

IDENTITY = (1, 2)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More records than one step takes, and more data than one window holds; no index."""
    path = tmp_path_factory.mktemp("scan") / "Data.fs"
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(6):
            history.store(
                [
                    (oid, 40 + number, [min(oid + 1, 1799), min(oid + 2, 1799)])
                    for oid in range(2 * number, 1800)
                ]
            )
        history.store([(oid, contents.WINDOW + oid, [oid]) for oid in range(12)])
    path.with_name("Data.fs.index").unlink()
    return path


@contextmanager
def file_of(path: Path) -> Iterator[DataFile]:
    with opened(path) as descriptor:
        yield DataFile(path, descriptor)


def test_interrupted_after_any_step(path: Path) -> None:
    whole = scanned(path)
    with file_of(path) as file:
        scan: Scan | None = Scan(IDENTITY, file.size())
        progress = []
        interruptions = 0
        while scan is not None:
            last, steps = scan, scan.steps(file)
            progress += [last.progress for _ in zip(steps, range(3), strict=False)]
            if next(steps, "ended") == "ended":
                break
            interruptions += 1
            scan = restored(scan.parts(), file, IDENTITY)
            assert scan is not None or not last.full_count.start
            scan = scan or last
    assert interruptions > 3
    assert progress == sorted(progress)
    assert len(set(progress)) > 5
    assert last.contents is not None
    assert whole.contents is not None
    assert numbers(last.full_count.totals()) == zodb_numbers(path)
    assert last.contents.unreachable == whole.contents.unreachable
    assert dict(last.contents.classes) == dict(whole.contents.classes)


def test_not_taken_up_for_another_file_or_from_another_version(path: Path) -> None:
    with file_of(path) as file:
        scan = Scan(IDENTITY, file.size())
        for _ in scan.steps(file):
            pass
        parts = scan.parts()
        assert restored(parts, file, IDENTITY) is not None
        assert restored(parts, file, (1, 3)) is None
        assert restored({}, file, IDENTITY) is None
        for name in parts:
            assert restored(parts | {name: b"x" * 7}, file, IDENTITY) is None, name
    other = path.with_name("other.fs")
    datafs.write(other, 3)
    with file_of(other) as file:
        assert restored(parts, file, IDENTITY) is None


@pytest.mark.parametrize("at_once", [1, 999, 4000])
def test_merges_change_nothing(path: Path, at_once: int) -> None:
    count = FullCount(merged_at_once=at_once)
    with file_of(path) as file:
        for _ in count.steps(file):
            pass
    assert numbers(count.totals()) == zodb_numbers(path)


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


def reader(path: Path, state: Path, clock: Clock) -> tuple[Followed, Rescan]:
    followed = Followed(path, Store(state, path), clock)
    return followed, Rescan(followed, clock)


def finish(rescan: Rescan) -> int:
    steps = 0
    while rescan.step():
        steps += 1
    return steps


def test_next_run_goes_on_where_the_last_one_was_stopped(path: Path, tmp_path: Path) -> None:
    state, clock = tmp_path / "state", Clock()
    followed, rescan = reader(path, state, clock)
    while rescan.progress < 0.5:
        rescan.step()
    steps = 0
    while rescan.progress < 0.9:
        assert rescan.step()
        steps += 1
    rescan.keep()
    followed, rescan = reader(path, state, clock)
    rescan.step()
    assert rescan.progress > 0.8
    finish(rescan)
    found = followed.known.findings
    assert found is not None
    expected = scanned(path).contents
    assert expected is not None
    assert found.unreachable == expected.unreachable
    assert Store(state, path).load_scan(bytearray) == {}


def test_state_is_kept_now_and_then(path: Path, tmp_path: Path) -> None:
    state, clock = tmp_path / "state", Clock()
    _, rescan = reader(path, state, clock)
    while rescan.progress < 0.2:
        rescan.step()
    assert Store(state, path).load_scan(bytearray) == {}
    clock.now += SAVE_SECONDS
    rescan.step()
    assert "place" in Store(state, path).load_scan(bytearray)


def test_once_a_day(path: Path, tmp_path: Path) -> None:
    clock = Clock()
    followed, rescan = reader(path, tmp_path / "state", clock)
    assert finish(rescan)
    assert not finish(rescan)
    clock.now += RESCAN_SECONDS - 1
    assert not finish(rescan)
    clock.now += 1
    assert finish(rescan)
    assert followed.known.findings is not None
    assert followed.known.findings.scanned == clock.now


def test_file_cut_off_under_a_scan(path: Path, tmp_path: Path) -> None:
    for share in range(1, 20):
        cut = tmp_path / "Data.fs"
        shutil.copy(path, cut)
        with file_of(cut) as file:
            scan = Scan(IDENTITY, file.size())
            steps = scan.steps(file)
            for _ in zip(steps, range(share), strict=False):
                pass
            os.truncate(cut, 100 * share)
            with suppress(FileStorageError):
                for _ in steps:
                    pass


def test_damage_is_told_and_tried_again_later(path: Path, tmp_path: Path) -> None:
    damaged, clock = tmp_path / "Data.fs", Clock()
    shutil.copy(path, damaged)
    with damaged.open("r+b") as file:
        os.pwrite(file.fileno(), b"?", 4 + 16)
    followed, rescan = reader(damaged, tmp_path / "state", clock)
    assert finish(rescan) < 10
    assert isinstance(rescan.problem, FileStorageError)
    assert "damaged at byte 4: a transaction has the unknown status" in str(rescan.problem)
    with damaged.open("r+b") as file:
        os.pwrite(file.fileno(), b" ", 4 + 16)
    assert not finish(rescan)
    clock.now += RETRY_SECONDS
    assert finish(rescan)
    assert rescan.problem is None
    assert followed.known.findings is not None


def test_a_kept_scan_that_cannot_be_gone_on_with_is_begun_anew(path: Path, tmp_path: Path) -> None:
    state, clock = tmp_path / "state", Clock()
    _, rescan = reader(path, state, clock)
    while rescan.progress < 0.6:
        rescan.step()
    rescan.keep()
    store = Store(state, path)
    kept = store.load_scan(bytearray)
    # What an earlier version may have left: columns of which one is too short.
    store.save_scan({**kept, "transactions": kept["transactions"][:-400]})
    followed, rescan = reader(path, state, clock)
    finish(rescan)
    assert rescan.problem is None
    found, expected = followed.known.findings, scanned(path).contents
    assert found is not None
    assert expected is not None
    assert found.unreachable == expected.unreachable


def test_a_checkpoint_of_a_scan_keeps_nobody_from_the_state_file(
    path: Path, tmp_path: Path
) -> None:
    state, clock = tmp_path / "state", Clock()
    followed, rescan = reader(path, state, clock)
    while rescan.progress < 0.6:
        rescan.step()
    with open_state(state):  # of another process: a job that begins, say
        rescan.keep()
        rescan.keep()
    assert "place" in Store(state, path).load_scan(bytearray)
    assert finish(rescan)
    known = followed.known
    assert known.totals is not None
    # A million transactions: what the state file holds of them has the size of a few numbers.
    many = replace(known.totals, starts=array("Q", range(10**6)), live=array("I", [1]) * 10**6)
    Store(state, path).save(replace(known, totals=many))
    assert Store(state, path).load().totals == many
    assert state.stat().st_size < 1 << 16
