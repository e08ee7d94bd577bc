"""Restoring, over what is there and to where nothing is."""

import errno
import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest
from ZODB.FileStorage import FileStorage

from tests.support.databases.packing import (
    Remembered,
    blob_dir_of,
    commit_more,
    digest,
    items,
    make_database,
)
from tests.support.faults.killing import dies_at, fails_at, fails_beyond
from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Silent,
)
from zope_exporter.maintenance.restore.exclusive_access import check_stopped
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource

OPEN = """
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


READ = "import sys; f = open(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The Data.fs of a site that has gone on after its backup was made."""
    data_fs = tmp_path / "site/Data.fs"
    data_fs.parent.mkdir()
    make_database(data_fs, revisions=3, blobs=4)
    shutil.copytree(data_fs.parent, tmp_path / "backup")
    commit_more(data_fs)
    return data_fs


def backup_of(site: Path) -> FileSource:
    backup = site.parents[1] / "backup"
    return FileSource(backup / "Data.fs", backup / "blobs")


def place_of(data_fs: Path, stamp: str = "1") -> Place:
    return Place(data_fs, blob_dir_of(data_fs), stamp, headroom=0)


def test_the_state_of_the_backup_is_back_and_that_of_before_is_kept(site: Path) -> None:
    before, blobs_before = digest(site), tree(blob_dir_of(site))
    backup = site.parents[1] / "backup"
    report = Remembered()
    restore(backup_of(site), place_of(site), report)
    assert digest(site) == digest(backup / "Data.fs")
    assert items(site) == items(backup / "Data.fs")
    kept = site.with_name("Data.fs.before-restore-1")
    assert digest(kept) == before
    kept_blobs = tree(site.with_name("blobs.before-restore-1"))
    assert (
        kept_blobs.items()
        >= {name: data for name, data in blobs_before.items() if name.endswith(".blob")}.items()
    )
    assert "is the restored one; that of before is kept" in report.text
    assert not site.with_name("Data.fs.index").exists()
    commit_more(site)  # and it can be written to


def test_a_new_place_needs_nothing_to_be_there(site: Path, tmp_path: Path) -> None:
    new = tmp_path / "new/Data.fs"
    new.parent.mkdir()
    restore(backup_of(site), place_of(new), Silent())
    assert items(new) == items(tmp_path / "backup/Data.fs")
    assert {path.name for path in new.parent.iterdir()} == {"Data.fs", "Data.fs.lock", "blobs"}


def test_mode_is_that_of_the_file_before(site: Path) -> None:
    site.chmod(0o640)
    restore(backup_of(site), place_of(site), Silent())
    assert stat.S_IMODE(site.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_that_of_the_file_before(site: Path) -> None:
    os.chown(site, 1234, 2345)
    restore(backup_of(site), place_of(site), Silent())
    blobs = [path for path in blob_dir_of(site).rglob("*.blob") if path.stat().st_nlink == 1]
    for path in [site, *blobs]:
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345), path


def test_promise_6_a_bad_backup_touches_nothing(site: Path) -> None:
    backup = site.parents[1] / "backup/Data.fs"
    backup.write_bytes(backup.read_bytes()[:-100])
    before, blobs = digest(site), tree(blob_dir_of(site))
    with pytest.raises(ActionError):
        restore(backup_of(site), place_of(site), Silent())
    assert digest(site) == before
    assert tree(blob_dir_of(site)) == blobs
    assert not list(site.parent.glob("*restor*"))


def test_promise_6_a_backup_without_a_blob_touches_no_file(site: Path) -> None:
    backup = site.parents[1] / "backup"
    for path in (backup / "blobs").rglob("*.blob"):
        path.unlink()
        (blob_dir_of(site) / path.relative_to(backup / "blobs")).unlink(missing_ok=True)
    before = digest(site)
    with pytest.raises(ActionError, match="needs are missing"):
        restore(backup_of(site), place_of(site), Silent())
    assert digest(site) == before


def test_blobs_in_an_unknown_order_touch_no_file(site: Path) -> None:
    backup = site.parents[1] / "backup"
    (backup / "blobs/.layout").write_text("heap")
    before = digest(site)
    with pytest.raises(ActionError, match="says neither bushy nor lawn, but 'heap'"):
        restore(backup_of(site), place_of(site), Silent())
    assert digest(site) == before


def test_promise_7_a_live_database_is_refused(site: Path) -> None:
    with child(OPEN, str(site)) as zope:
        lines_until_ready(zope)
        with pytest.raises(RefusedError) as refused:
            check_stopped(site, [], go_by_lock=True)
        assert refused.value.code == "open"
        assert f"process {zope.pid}" in refused.value.reason
        with pytest.raises(RefusedError) as refused:
            restore(backup_of(site), place_of(site), Silent())
        assert refused.value.code == "open"
    check_stopped(site, [], go_by_lock=True)


def test_promise_7_one_that_only_reads_is_refused_too(site: Path) -> None:
    with child(READ, str(site)) as reader:
        lines_until_ready(reader)
        with pytest.raises(RefusedError, match=f"process {reader.pid}"):
            check_stopped(site, [], go_by_lock=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="others' processes are there to be hidden")
def test_promise_7_what_cannot_be_seen_is_not_taken_for_nobody(site: Path) -> None:
    with public_directory() as public:
        data_fs = public / "Data.fs"
        data_fs.write_bytes(site.read_bytes())
        with unprivileged():
            with pytest.raises(RefusedError) as refused:
                check_stopped(data_fs, [], go_by_lock=False)
            assert refused.value.code == "unseen"
            check_stopped(data_fs, [], go_by_lock=True)


def test_no_room_is_a_refusal(site: Path) -> None:
    place = Place(site, blob_dir_of(site), "1", headroom=1 << 60)
    with pytest.raises(RefusedError) as refused:
        restore(backup_of(site), place, Silent())
    assert refused.value.code == "room"


def test_promise_28_no_index_is_installed_or_run(site: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    evil = b"cos\nsystem\n(S'touch %s'\ntR." % str(marker).encode()
    for index in (site, tmp_path / "backup/Data.fs"):
        index.with_name("Data.fs.index").write_bytes(evil)
    restore(backup_of(site), place_of(site), Silent())
    FileStorage(str(site)).close()
    assert not marker.exists()


@pytest.mark.parametrize("stage", ["writing", "copying blobs"])
def test_one_that_is_told_to_end_touches_nothing(site: Path, stage: str) -> None:
    before = digest(site)
    with pytest.raises(InterruptedActionError):
        restore(backup_of(site), place_of(site), Remembered(end_in=stage))
    assert digest(site) == before
    assert not list(site.parent.glob("Data.fs.restoring*"))


def test_killed_at_any_file_operation_there_is_the_old_or_the_new_and_it_can_be_run_again(
    site: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup/Data.fs"
    states = {digest(site): items(site), digest(backup): items(backup)}
    original = tmp_path / "original"
    shutil.copytree(site.parent, original)
    reached = set()
    for number in itertools.count():
        shutil.rmtree(site.parent)
        shutil.copytree(original, site.parent)
        if not dies_at(
            number, site.parent, lambda: restore(backup_of(site), place_of(site), Silent())
        ):
            break
        assert site.exists(), number
        state = digest(site)
        assert state in states, number
        reached.add(state)
        assert items(site) == states[state], number
        restore(backup_of(site), place_of(site, "2"), Silent())
        assert items(site) == states[digest(backup)]
        assert not list(site.parent.rglob("*.restoring*")), number
    assert number > 40
    assert reached == set(states)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_promise_4_a_disk_that_fails_at_any_file_operation_fails_it_with_the_state_of_before(
    site: Path, tmp_path: Path, error: int
) -> None:
    backup = tmp_path / "backup/Data.fs"
    states = {digest(site): items(site), digest(backup): items(backup)}
    original = tmp_path / "original"
    shutil.copytree(site.parent, original)
    for number in itertools.count():
        shutil.rmtree(site.parent)
        shutil.copytree(original, site.parent)
        if not fails_at(
            number, site.parent, error, lambda: restore(backup_of(site), place_of(site), Silent())
        ):
            break
        # Once exchanged, only what is not needed any more is left where it was.
        assert items(site) == states[digest(site)], number
        restore(backup_of(site), place_of(site, "2"), Silent())
        assert items(site) == states[digest(backup)]
    assert number > 40


def test_promise_4_a_disk_that_is_full_at_any_byte_leaves_the_state_of_before(site: Path) -> None:
    before = digest(site), items(site)
    size = (site.parents[1] / "backup/Data.fs").stat().st_size
    for limit in (0, 1, 1000, size // 2, size - 1):
        assert fails_beyond(limit, lambda: restore(backup_of(site), place_of(site), Silent()))
        assert (digest(site), items(site)) == before
        assert not list(site.parent.glob("*restor*"))


def test_a_link_among_the_blobs_is_not_followed(site: Path, tmp_path: Path) -> None:
    """Whoever can write to the backups must not have root copy them a file only it may read."""
    secret = tmp_path / "secret"
    secret.write_text("of root")
    source = backup_of(site)
    assert source.blobs
    blob = min(source.blobs.rglob("*.blob"))
    blob.unlink()
    blob.symlink_to(secret)
    target = blob_dir_of(site) / blob.relative_to(source.blobs)
    target.unlink()
    before = digest(site)
    with pytest.raises(ActionError, match=r"blobs that the Data.fs needs are missing"):
        restore(source, place_of(site), Silent())
    assert not os.path.lexists(target)
    assert digest(site) == before


def test_what_else_is_in_the_blob_directory_is_left_alone(site: Path) -> None:
    """A blob directory that is named wrongly, one too high, may hold those of other sites."""
    other = blob_dir_of(site) / "other-site" / "0x00" / "0x01.blob"
    other.parent.mkdir(parents=True)
    other.write_text("theirs")
    restore(backup_of(site), place_of(site), Silent())
    assert other.read_text() == "theirs"
