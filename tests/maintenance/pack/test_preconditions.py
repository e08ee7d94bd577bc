"""What keeps a pack from being begun, each by its name."""

import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.packing import (
    AT_ONCE,
    Remembered,
    make_database,
    storage_of,
)
from tests.support.programs.children import as_known, child, lines_until_ready
from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.pack.preconditions import check
from zope_exporter.maintenance.pack.run import pack
from zope_exporter.maintenance.pack.target import PackSettings, PackTarget, Running

OPEN = """
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""
WRITES_PACK = """
import sys
file = open(sys.argv[1] + ".pack", "wb")
file.write(b"FS21")
file.flush()
print("ready", flush=True)
sys.stdin.read()
"""


class Nobody:
    """An engine that would be asked last, and is not to be asked at all."""

    name = "nobody"

    meanwhile = "goes on"

    def check(self) -> None:
        raise RefusedError("reached", "nothing stood in the way")

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        raise AssertionError((days, report))
        yield


def code(storage: Storage | None, settings: PackSettings = AT_ONCE) -> str:
    """What a pack is refused for; `reached` if for nothing."""
    target = PackTarget(storage, Nobody())
    with pytest.raises(RefusedError) as refused:
        check(target, settings, Remembered(), time.time)
    assert refused.value.reason
    return refused.value.code


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    path = tmp_path / "Data.fs"
    datafs.write(path, 5)
    return path


def test_nothing_stands_in_the_way_of_an_ordinary_file(data_fs: Path) -> None:
    assert code(storage_of(data_fs)) == "reached"
    assert code(None) == "reached"


@pytest.mark.parametrize("days", [-1, -0.001, math.nan, math.inf, 1e9])
def test_days_are_a_number_of_days(data_fs: Path, days: float) -> None:
    assert code(storage_of(data_fs), replace(AT_ONCE, days=days)) == "days"


def test_a_recent_proven_backup_is_needed_if_that_is_configured(data_fs: Path) -> None:
    storage, now = storage_of(data_fs), datetime.now(timezone.utc)

    def with_backup(proven: datetime | None) -> PackSettings:
        return replace(AT_ONCE, backup_max_age=3600, proven=lambda: proven)

    assert code(storage, with_backup(None)) == "backup"
    assert code(storage, with_backup(now - timedelta(hours=2))) == "backup"
    assert code(storage, with_backup(now + timedelta(hours=2))) == "backup"
    assert code(storage, with_backup(now - timedelta(minutes=50))) == "reached"


def test_a_missing_data_fs_is_not_made(data_fs: Path) -> None:
    data_fs.unlink()
    assert code(storage_of(data_fs)) == "missing"
    assert not data_fs.exists()


def test_what_is_no_data_fs_is_not_packed(data_fs: Path) -> None:
    data_fs.with_name("Data.fs.old").write_bytes(data_fs.read_bytes())
    data_fs.write_bytes(b"junk" * 20)
    assert code(storage_of(data_fs)) == "unreadable"


def test_no_room_for_the_copy_is_a_refusal(data_fs: Path) -> None:
    storage = storage_of(data_fs)
    system = os.statvfs(data_fs.parent)
    free = system.f_bavail * system.f_frsize
    assert code(storage, replace(AT_ONCE, headroom=free + (1 << 30))) == "room"


def test_room_counts_the_old_file_which_is_deleted_first(small_disk: Path) -> None:
    data_fs = small_disk / "Data.fs"
    make_database(data_fs, revisions=4, size=500_000)
    old = data_fs.with_name("Data.fs.old")
    shutil.copy(data_fs, old)
    assert code(storage_of(data_fs)) == "reached"
    shutil.move(old, small_disk / "other")
    assert code(storage_of(data_fs)) == "room"
    # A link elsewhere keeps the space that deleting it would free.
    shutil.move(small_disk / "other", old)
    old.with_name("link").hardlink_to(old)
    assert code(storage_of(data_fs)) == "room"


def test_a_pack_that_another_process_writes_is_not_disturbed(data_fs: Path) -> None:
    with child(WRITES_PACK, str(data_fs)) as other:
        lines_until_ready(other)
        os.utime(data_fs.with_name("Data.fs.pack"), (0, 0))  # it skips garbage for a long time
        assert code(storage_of(data_fs, as_known(other.pid))) == "busy"


def test_what_a_died_pack_left_is_no_pack(data_fs: Path) -> None:
    left = data_fs.with_name("Data.fs.pack")
    left.write_bytes(b"FS21")
    assert code(storage_of(data_fs)) == "busy"  # it may be written by someone who cannot be seen
    os.utime(left, (0, 0))
    assert code(storage_of(data_fs)) == "reached"
    os.utime(left)
    with child(OPEN, str(data_fs)) as owner:
        lines_until_ready(owner)
        assert code(storage_of(data_fs, as_known(owner.pid))) == "reached"


def test_promise_8_the_only_copy_of_before_is_not_deleted(data_fs: Path, tmp_path: Path) -> None:
    """Facts 2.4, P2: Zope was started without a Data.fs, and made an empty one."""
    data_fs.rename(data_fs.with_name("Data.fs.old"))
    with datafs.storage_at(data_fs) as storage:
        datafs.commit(storage, 99)
    assert code(storage_of(data_fs)) == "old"
    assert tmp_path.joinpath("Data.fs.old").stat().st_size > 1000 - 500


def test_p14_commits_that_went_to_the_old_file_are_not_deleted(data_fs: Path) -> None:
    old = data_fs.with_name("Data.fs.old")
    shutil.copy(data_fs, old)
    with datafs.storage_at(old) as storage:
        datafs.commit(storage, 9)
    assert code(storage_of(data_fs)) == "old"


def test_the_past_of_the_file_is_no_obstacle(data_fs: Path) -> None:
    shutil.copy(data_fs, data_fs.with_name("Data.fs.old"))
    with datafs.storage_at(data_fs) as storage:
        datafs.commit(storage, 9)
    assert code(storage_of(data_fs)) == "reached"


def test_p6_an_old_file_that_cannot_be_removed_is_no_trap(data_fs: Path) -> None:
    data_fs.with_name("Data.fs.old").mkdir()
    assert code(storage_of(data_fs)) == "old"


def test_an_owner_that_writes_elsewhere_is_not_asked_to_pack(data_fs: Path) -> None:
    with child(OPEN, str(data_fs)) as owner:
        lines_until_ready(owner)
        content = data_fs.read_bytes()
        data_fs.unlink()
        data_fs.write_bytes(content)
        assert code(storage_of(data_fs, as_known(owner.pid))) == "replaced"


def test_a_list_of_removed_blobs_is_told_before_it_is_lost(tmp_path: Path) -> None:
    """Facts 2.4, P3."""
    from zope_exporter.maintenance.pack.choose_engine import FileEngine

    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=2, blobs=2)
    (tmp_path / "blobs/.removed").write_bytes(b"00" * 8 + b"\n")
    storage, report = storage_of(data_fs), Remembered()
    pack(PackTarget(storage, FileEngine(storage)), AT_ONCE, report)
    assert "lists blobs that a pack which died has not removed" in report.text
