"""Restoring where the blob directory is on a file system of its own, or on one without links."""

import errno
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import transaction
import ZODB
from ZODB.FileStorage import FileStorage

from tests.support.databases.packing import (
    blob_dir_of,
    digest,
    items,
)
from tests.support.databases.restoring import GoneOn
from tests.support.faults.killing import dies_at, fails_at
from tests.support.faults.small_disk import mounted_again, small_disk_at
from tests.support.faults.system_calls import without_links
from tests.support.programs.debian import tool
from tests.support.programs.exporter import zope_exporter
from tests.support.programs.require import require
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError
from zope_exporter.storage.blobs.directory import measure


def blobs_of(blob_dir: Path) -> dict[str, bytes]:
    """Those that ZODB can find: in directories with the number of an object."""
    return {
        str(path.relative_to(blob_dir)): path.read_bytes()
        for path in blob_dir.rglob("*.blob")
        if path.relative_to(blob_dir).parts[0].startswith("0x")
    }


def on_a_disk(directory: Path) -> AbstractContextManager[Path]:
    return small_disk_at(directory / "site/blobs")


def mounted_twice(directory: Path) -> AbstractContextManager[Path]:
    """As Docker has it: on the same file system, and yet no link leads out of it."""
    (directory / "volume").mkdir()
    return mounted_again(directory / "volume", directory / "site/blobs")


@pytest.fixture(params=[on_a_disk, mounted_twice])
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[GoneOn]:
    (tmp_path / "site").mkdir()
    mount: Callable[[Path], AbstractContextManager[Path]] = request.param
    with mount(tmp_path):
        yield GoneOn(tmp_path)


def check_restored(site: GoneOn, kept_blobs: Path, stamp: str = "1") -> None:
    assert digest(site.data_fs) == digest(site.backup)
    assert items(site.data_fs) == items(site.backup)
    assert blobs_of(site.blob_dir) == blobs_of(blob_dir_of(site.backup))
    assert blobs_of(kept_blobs) == blobs_of(site.original / "blobs")
    kept = site.data_fs.with_name(f"Data.fs.before-restore-{stamp}")
    assert digest(kept) == digest(site.original / "Data.fs")


def test_blobs_of_a_mount_point_are_kept_in_it(mounted: GoneOn) -> None:
    kept = mounted.blob_dir / ".before-restore-1"
    report = mounted.restore()
    check_restored(mounted, kept)
    assert str(kept) in report.lines[-1]
    assert "is the restored one; that of before is kept" in report.lines[-1]
    inodes = {path.stat().st_ino for path in mounted.blob_dir.rglob("*.blob")}
    assert {path.stat().st_ino for path in kept.rglob("*.blob")} & inodes


def test_zodb_is_not_disturbed_by_what_is_kept_in_a_blob_directory(mounted: GoneOn) -> None:
    mounted.restore()
    kept = mounted.blob_dir / ".before-restore-1"
    before = blobs_of(kept)
    storage = FileStorage(str(mounted.data_fs), blob_dir=str(mounted.blob_dir), pack_keep_old=False)
    database = ZODB.DB(storage)
    connection = database.open()
    del connection.root()["blob-1"]
    transaction.commit()
    connection.close()
    assert len(list(storage.fshelper.listOIDs())) == len(blobs_of(mounted.blob_dir))
    database.pack()
    database.close()
    assert blobs_of(mounted.blob_dir) == {}
    assert blobs_of(kept) == before
    assert measure(mounted.blob_dir, mounted.data_fs).files == 0


def test_a_mount_point_is_restored_to_after_the_loss_of_the_data_fs(mounted: GoneOn) -> None:
    mounted.data_fs.unlink()
    report = mounted.restore()
    assert items(mounted.data_fs) == items(mounted.backup)
    assert f"{mounted.data_fs} is the restored one" in report.lines[-1]


def test_an_empty_mount_point_is_a_new_place(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = GoneOn(tmp_path)
    (tmp_path / "new").mkdir()
    with small_disk_at(tmp_path / "new/blobs") as blob_dir:
        new = tmp_path / "new/Data.fs"
        done = zope_exporter(
            "restore", site.backup, new, "--blobs", blob_dir_of(site.backup),
            "--blob-dir", blob_dir, state_dir=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert items(new) == items(site.backup)
        assert f"{new} is the restored one; nothing was there before" in done.stderr
        assert not [path for path in blob_dir.iterdir() if "restor" in path.name]


def test_a_link_to_a_blob_directory_on_another_disk_stays_one(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "disk") as disk:
        (disk / "blobs").mkdir()
        (tmp_path / "site").mkdir()
        (tmp_path / "site/blobs").symlink_to(disk / "blobs")
        site = GoneOn(tmp_path)
        site.restore()
        assert site.blob_dir.is_symlink()
        check_restored(site, disk / "blobs.before-restore-1")


def test_a_link_to_a_disk_that_is_not_mounted_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = GoneOn(tmp_path)
    shutil.rmtree(site.blob_dir)
    site.blob_dir.symlink_to(tmp_path / "unmounted/blobs")
    with pytest.raises(RefusedError, match="unmounted/blobs, which is not there"):
        site.restore()
    assert digest(site.data_fs) == digest(site.original / "Data.fs")


def test_killed_at_any_file_operation_over_a_mount_point_the_old_or_the_new_is_there(
    mounted: GoneOn,
) -> None:
    states = mounted.states
    reached = set()
    for number in itertools.count():
        mounted.reset()
        if not dies_at(number, mounted.data_fs.parent, mounted.restore):
            break
        state = digest(mounted.data_fs)
        reached.add(state)
        assert items(mounted.data_fs) == states[state], number
        mounted.restore("2")
        assert items(mounted.data_fs) == states[digest(mounted.backup)]
        assert blobs_of(mounted.blob_dir) == blobs_of(blob_dir_of(mounted.backup)), number
        assert not list(mounted.data_fs.parent.rglob("*.restoring*")), number
    assert number > 40
    assert reached == set(states)


def operations(site: GoneOn) -> int:
    """How many file operations a restore takes."""
    for number in itertools.count():
        site.reset()
        if not dies_at(number, site.data_fs.parent, site.restore):
            return number
    raise AssertionError


@pytest.mark.parametrize("lasting", [False, True])
def test_failing_at_any_file_operation_over_a_mount_point_all_is_named_that_is_left(
    mounted: GoneOn, lasting: bool
) -> None:
    states, outcomes = mounted.states, Counter[bool]()
    for number in range(operations(mounted)):
        mounted.reset()
        before = {str(path) for path in mounted.data_fs.parent.rglob("*")}
        log = mounted.backup.with_name("said")

        def run(log: Path = log) -> None:
            try:
                mounted.restore()
            except ActionError as error:
                log.write_text(str(error))
                raise

        failed = fails_at(number, mounted.data_fs.parent, errno.EIO, run, lasting)
        outcomes[failed] += 1
        now = digest(mounted.data_fs)
        said = log.read_text() if failed else f"{mounted.data_fs} is the restored one"
        assert items(mounted.data_fs) == states[now], number
        assert ("is the restored one" in said) == (now == digest(mounted.backup)), (number, said)
        left = {str(path) for path in mounted.data_fs.parent.rglob("*")} - before
        left -= {f"{mounted.data_fs}.lock", f"{mounted.blob_dir}/tmp"}
        tops = {path for path in left if str(Path(path).parent) not in left}
        for path in tops if now != digest(mounted.backup) else ():
            assert path in said or " more" in said, (number, path, said)
        mounted.restore("2")
        assert items(mounted.data_fs) == states[digest(mounted.backup)]
    assert outcomes[True] > 40


def test_without_hard_links_what_was_there_is_kept_as_copies(tmp_path: Path) -> None:
    strace = require(tool, "strace")
    (tmp_path / "site").mkdir()
    site = GoneOn(tmp_path)
    run = without_links(strace, site.restore)
    assert run.error is None, run
    kept = site.blob_dir / ".before-restore-1"
    check_restored(site, kept)
    assert {path.stat().st_nlink for path in kept.rglob("*.blob")} == {1}
