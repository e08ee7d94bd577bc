"""Whether anybody uses what is to be restored, by whatever name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases.packing import blob_dir_of, make_database
from tests.support.faults.rights import public_directory, unprivileged
from tests.support.faults.small_disk import mounted_again
from tests.support.programs.children import child, lines_until_ready
from tests.support.programs.exporter import environment, zope_exporter
from zope_exporter.discovery.inventory import Database, Process, Service
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.restore.exclusive_access import check_stopped

OPEN = """
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    data_fs = tmp_path / "site/Data.fs"
    make_database(data_fs, revisions=1, blobs=2)
    return data_fs


def test_a_live_file_is_known_by_another_name_of_it(data_fs: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias.fs"
    alias.hardlink_to(data_fs)
    with child(OPEN, str(data_fs)) as zope:
        lines_until_ready(zope)
        with pytest.raises(RefusedError, match=f"process {zope.pid} has {alias} open"):
            check_stopped(alias, [], go_by_lock=True)
    check_stopped(alias, [], go_by_lock=True)


def test_promise_7_a_live_file_that_is_mounted_under_another_name_is_not_touched(
    data_fs: Path, tmp_path: Path
) -> None:
    before = data_fs.read_bytes()
    copy = tmp_path / "copy.fs"
    copy.write_bytes(before)
    with mounted_again(data_fs, tmp_path / "alias.fs") as alias, child(OPEN, str(data_fs)) as zope:
        lines_until_ready(zope)
        refused = zope_exporter("restore", copy, alias, "--go-by-the-lock", state_dir=tmp_path)
        assert refused.returncode == 3, refused.stderr
        assert f"process {zope.pid} has {alias} open" in refused.stderr
    assert data_fs.read_bytes() == before


def test_a_file_that_is_mounted_by_itself_cannot_be_replaced(data_fs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.fs"
    copy.write_bytes(data_fs.read_bytes())
    with mounted_again(data_fs, tmp_path / "alias.fs") as alias:
        refused = zope_exporter("restore", copy, alias, "--go-by-the-lock", state_dir=tmp_path)
    assert refused.returncode == 3, refused.stderr
    assert "is mounted there by itself" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="others' processes are there to be hidden")
def test_what_a_pack_may_have_moved_is_no_new_place() -> None:
    for left in (".old", ".pack"):
        with public_directory() as public:
            (public / f"Data.fs{left}").touch()
            with unprivileged():
                check_stopped(public / "other.fs", [], go_by_lock=False)
                with pytest.raises(RefusedError, match="may not be inspected") as refused:
                    check_stopped(public / "Data.fs", [], go_by_lock=False)
            assert "run this as root" in refused.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to do without")
def test_root_in_a_container_is_told_what_it_takes(data_fs: Path, tmp_path: Path) -> None:
    """Without this capability not even root may look into those that have it, such as init."""
    copy, new = tmp_path / "copy.fs", tmp_path / "new.fs"
    copy.write_bytes(data_fs.read_bytes())
    data_fs.with_name("Data.fs.lock").unlink()

    def restore_to(target: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-m", "zope_exporter",
             "restore", str(copy), str(target)],
            env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    refused = restore_to(data_fs)
    assert refused.returncode == 3, refused.stderr
    assert "run this as root" not in refused.stderr
    assert "the capability SYS_PTRACE" in refused.stderr
    assert "--go-by-the-lock" in refused.stderr
    done = restore_to(new)
    assert done.returncode == 0, done.stderr
    assert new.read_bytes() == copy.read_bytes()


def test_a_blob_directory_of_a_site_that_runs_is_not_touched(data_fs: Path, tmp_path: Path) -> None:
    database = Database("main", "filestorage", data_fs=data_fs, blob_dir=blob_dir_of(data_fs))
    stopped = Service("zope", "client1", None, databases=(database,))
    running = Service("zope", "client1", None, databases=(database,), process=Process(1, 0.0))
    link = tmp_path / "link"
    link.symlink_to(blob_dir_of(data_fs))
    for blob_dir in (blob_dir_of(data_fs), link):
        with pytest.raises(RefusedError) as refused:
            check_stopped(tmp_path / "new.fs", [running], go_by_lock=True, blob_dir=blob_dir)
        assert refused.value.code == "running"
        assert f"runs with {blob_dir}" in refused.value.reason
        check_stopped(tmp_path / "new.fs", [stopped], go_by_lock=True, blob_dir=blob_dir)
    check_stopped(tmp_path / "new.fs", [running], go_by_lock=True, blob_dir=tmp_path / "blobs")
