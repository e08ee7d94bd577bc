"""Links, FIFOs and devices among the files of a repository: nothing leads out of it."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs, pack
from tests.support.databases.repository import Noted, Site, tree
from tests.support.databases.snapshots import write_snapshots
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.blob_check import BlobCheck
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Silent

OLD = "2020-01-01-00-00-00"
KINDS = (".fs", ".deltafs", ".dat", ".manifest", ".blobs", ".verified", ".current")


@pytest.fixture
def with_blobs(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 2)
    return site


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """What is no business of a backup, in every shape that one might take for its own."""
    victim = tmp_path / "victim"
    for inside in ("etc", OLD, f"{OLD}/0x00", "0x00"):
        (victim / inside).mkdir(parents=True)
        (victim / inside / "passwd").write_text("precious")
    (victim / f"{OLD}.fs").write_text("precious")
    return victim


def snapshot(site: Site) -> Path:
    """The blobs of the one backup there is, as earlier versions had them."""
    assert site.blob_dir
    write_snapshots(site.repository, site.blob_dir)
    [place] = (site.repository / "blobs").iterdir()
    return place


def shard(site: Site) -> Path:
    """A directory of the pool that has a blob in it."""
    return min((site.repository / "blobs").iterdir())


def swap(place: Path, target: Path) -> Path:
    """Put a link in the place of what is there; return where that is now."""
    aside = place.with_name(f"aside-{place.name}")
    place.rename(aside)
    place.symlink_to(target)
    return aside


def test_what_a_link_among_the_snapshots_leads_to_is_not_emptied(
    with_blobs: Site, victim: Path
) -> None:
    with_blobs.back_up()
    link, before = with_blobs.repository / "blobs" / OLD, tree(victim)
    link.symlink_to(victim)
    noted = Noted()
    for _ in range(2):
        with_blobs.more()
        assert with_blobs.back_up(report=noted).kind == "incremental"
        assert tree(victim) == before
    assert link.is_symlink()
    assert any(f"blobs/{OLD}" in line and str(victim) in line for line in noted.lines)
    [failure] = with_blobs.verify().failures
    assert failure.startswith(f"blobs/{OLD}: ")
    assert "symbolic link" in failure
    link.unlink()
    assert with_blobs.verify().ok


@pytest.mark.parametrize("what", ["file", "fifo"])
def test_what_is_no_snapshot_but_is_called_like_one_is_left_alone_and_named(
    with_blobs: Site, what: str
) -> None:
    with_blobs.back_up()
    path = with_blobs.repository / "blobs" / OLD
    if what == "file":
        path.write_text("precious")
    else:
        os.mkfifo(path)
    with_blobs.more()
    with_blobs.back_up()
    assert path.exists()
    assert [failure for failure in with_blobs.verify().failures if f"blobs/{OLD}" in failure]


def test_a_link_instead_of_all_snapshots_is_refused(with_blobs: Site, victim: Path) -> None:
    with_blobs.back_up()
    aside, before = swap(with_blobs.repository / "blobs", victim), tree(victim)
    for full in (False, True):
        with_blobs.more()
        with pytest.raises(RefusedError, match=r"blobs is a symbolic link") as refused:
            with_blobs.back_up(full=full, keep=1)
        assert refused.value.code == "place"
    assert tree(victim) == before
    assert any("blobs: it is a symbolic link" in each for each in with_blobs.verify().failures)
    (with_blobs.repository / "blobs").unlink()
    aside.rename(with_blobs.repository / "blobs")
    assert with_blobs.back_up().kind == "incremental"
    assert with_blobs.verify().ok


def test_a_database_without_blobs_does_not_follow_the_link_either(site: Site, victim: Path) -> None:
    site.back_up()
    (site.repository / "blobs").symlink_to(victim)
    before = tree(victim)
    site.commit()
    site.back_up(full=True, keep=1)
    assert tree(victim) == before


def test_a_snapshot_that_was_moved_to_another_disk_is_not_removed_with_its_backup(
    with_blobs: Site, tmp_path: Path
) -> None:
    with_blobs.back_up()
    place, moved = snapshot(with_blobs), tmp_path / "bigger-disk"
    shutil.move(place, moved)
    place.symlink_to(moved)
    before, noted = tree(moved), Noted()
    [backup] = read_repository(with_blobs.repository).backups
    assert any("symbolic link" in each for each in with_blobs.verify().failures)
    with BlobCheck(with_blobs.repository, Silent()) as check:
        assert {(each.place, "link" in each.reason) for each in check.contents(backup)} == {
            (place.name, True)
        }
    with_blobs.more()
    assert with_blobs.back_up(full=True, keep=1, report=noted).removed == (backup.stamp,)
    assert tree(moved) == before
    assert any(place.name in line and str(moved) in line for line in noted.lines)
    place.unlink()
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures


def test_a_link_within_a_snapshot_is_removed_itself_and_not_followed(
    with_blobs: Site, tmp_path: Path
) -> None:
    with_blobs.back_up()
    inner, moved = snapshot(with_blobs) / "0x00", tmp_path / "elsewhere"
    shutil.move(inner, moved)
    inner.symlink_to(moved)
    before = tree(moved)
    failures = with_blobs.verify().failures
    assert failures
    assert all("0x00" in each and "symbolic link" in each for each in failures)
    with_blobs.more()
    noted = Noted()
    with_blobs.back_up(report=noted)
    assert any("symbolic link" in line and "again" in line for line in noted.lines)
    with_blobs.back_up(full=True, keep=1)
    assert tree(moved) == before
    assert not list((with_blobs.repository / "blobs").glob("2*"))
    assert with_blobs.verify().ok


def test_a_part_of_the_pool_that_was_moved_away_is_not_followed(
    with_blobs: Site, tmp_path: Path
) -> None:
    with_blobs.back_up()
    place, moved = shard(with_blobs), tmp_path / "elsewhere"
    shutil.move(place, moved)
    place.symlink_to(moved)
    before = tree(moved)
    failures = with_blobs.verify().failures
    assert failures
    assert all(f"blobs/{place.name}: it is a symbolic link" in each for each in failures)
    with_blobs.more()
    for full in (False, True):
        with pytest.raises(ActionError, match=f"symbolic link.*{place.name}"):
            with_blobs.back_up(full=full, keep=1)
    assert tree(moved) == before
    place.unlink()
    shutil.move(moved, place)
    assert with_blobs.back_up().kind == "incremental"
    assert with_blobs.verify().ok


def test_a_blob_that_is_a_link_is_copied_again_and_what_it_leads_to_stays(
    with_blobs: Site, tmp_path: Path
) -> None:
    with_blobs.back_up()
    [blob] = shard(with_blobs).iterdir()
    moved, noted = tmp_path / "moved", Noted()
    shutil.move(blob, moved)
    blob.symlink_to(moved)
    content = moved.read_bytes()
    [failure] = with_blobs.verify().failures
    assert f"{blob.name}: it is a symbolic link" in failure
    with_blobs.more()
    with_blobs.back_up(report=noted)
    assert any(blob.name in line and "again" in line for line in noted.lines)
    assert (blob.is_symlink(), blob.read_bytes(), moved.read_bytes()) == (False, content, content)
    assert with_blobs.verify().ok


def test_what_no_backup_needs_and_is_no_file_of_the_pool_is_left_alone(
    with_blobs: Site, victim: Path
) -> None:
    with_blobs.back_up()
    place = shard(with_blobs)
    link, stranger = place / f"{place.name:0>16}.{1:016x}.blob", place / "README"
    link.symlink_to(victim / "etc/passwd")
    stranger.write_text("precious")
    (with_blobs.repository / "blobs/mine").mkdir()
    (with_blobs.repository / "blobs/mine/own").write_text("precious")
    with_blobs.more()
    noted = Noted()
    with_blobs.back_up(full=True, keep=1, report=noted)
    assert link.is_symlink()
    assert any(link.name in line and "left as it is" in line for line in noted.lines)
    assert stranger.read_text() == "precious"
    assert (with_blobs.repository / "blobs/mine/own").read_text() == "precious"
    assert with_blobs.verify().ok


@pytest.mark.parametrize("suffix", KINDS)
def test_a_file_that_was_moved_away_is_named_and_what_its_link_leads_to_stays(
    with_blobs: Site, tmp_path: Path, suffix: str
) -> None:
    for _ in range(2):
        with_blobs.back_up()
        with_blobs.more()
    for _ in range(2):
        with_blobs.back_up()
        with_blobs.verify()
    path = max(with_blobs.repository.glob(f"*{suffix}"))
    moved = tmp_path / "moved"
    shutil.move(path, moved)
    path.symlink_to(moved)
    before, noted = moved.read_bytes(), Noted()
    failures = with_blobs.verify().failures
    assert any(path.name in each and "symbolic link" in each for each in failures), failures
    with_blobs.more()
    with_blobs.back_up(full=True, keep=1, report=noted)
    with_blobs.verify()
    with_blobs.more()
    with_blobs.back_up(full=True, keep=1, report=noted)
    assert moved.read_bytes() == before
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures


@pytest.mark.parametrize("what", ["link", "file"])
def test_blobs_are_not_put_where_there_is_no_directory(
    with_blobs: Site, victim: Path, what: str
) -> None:
    (with_blobs.repository / "blobs").mkdir(parents=True)
    for number in range(256):
        place = with_blobs.repository / "blobs" / f"{number:02x}"
        if what == "link":
            place.symlink_to(victim)
        else:
            place.write_text("precious")
    before = tree(victim)
    with pytest.raises(ActionError, match="symbolic link" if what == "link" else "directory"):
        with_blobs.back_up()
    assert tree(victim) == before
    assert read_repository(with_blobs.repository).backups == ()


def test_the_repository_itself_may_be_a_link(with_blobs: Site, tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    with_blobs.repository.symlink_to(tmp_path / "big-disk")
    for _ in range(3):
        with_blobs.back_up(full=True, keep=1)
        with_blobs.more()
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures
    assert len(list((tmp_path / "big-disk").glob("*.fs"))) == 1


class RacingDisk(QuickDisk):
    """Lets somebody put a link in the place of a directory at the moment that is worst."""

    def __init__(self, happens: Callable[[], object], operation: str, name: str = "") -> None:
        self._happens = happens
        self._moment = operation, name
        self.happened = False

    def _now(self, operation: str, path: Path) -> None:
        if not self.happened and operation == self._moment[0] and self._moment[1] in path.name:
            self.happened = True
            self._happens()

    def remove_tree(self, path: Path, dir_fd: int | None = None) -> None:
        self._now("remove_tree", path)
        super().remove_tree(path, dir_fd)

    def remove(self, path: Path, dir_fd: int | None = None) -> None:
        self._now("remove", path)
        super().remove(path, dir_fd)

    def rename(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        self._now("rename", new)
        super().rename(old, new, old_fd, new_fd)

    def set_mode(self, descriptor: int, mode: int) -> None:
        self._now("set_mode", Path())
        super().set_mode(descriptor, mode)

    def make_directory(self, path: Path, dir_fd: int | None = None) -> None:
        super().make_directory(path, dir_fd)
        self._now("make_directory", path)


def race(with_blobs: Site, disk: RacingDisk) -> None:
    """Let the first backup be removed after the second is made."""
    with_blobs.more()
    with suppress(ActionError):
        with_blobs.back_up(full=True, keep=1, disk=disk)
    assert disk.happened


def test_a_directory_that_becomes_a_link_while_its_snapshot_is_removed_is_not_followed(
    with_blobs: Site, victim: Path
) -> None:
    with_blobs.back_up()
    inner, before = snapshot(with_blobs) / "0x00", tree(victim)
    race(with_blobs, RacingDisk(lambda: swap(inner, victim), "remove_tree", "0x00"))
    assert tree(victim) == before


def test_a_snapshot_that_becomes_a_link_while_it_is_removed_is_not_followed(
    with_blobs: Site, victim: Path
) -> None:
    with_blobs.back_up()
    place, before = snapshot(with_blobs), tree(victim)
    disk = RacingDisk(lambda: swap(place, victim), "remove_tree", place.name)
    with_blobs.more()
    with pytest.raises(ActionError, match=place.name):
        with_blobs.back_up(full=True, keep=1, disk=disk)
    assert disk.happened
    assert tree(victim) == before


def test_all_snapshots_that_become_a_link_while_one_is_removed_are_not_followed(
    with_blobs: Site, victim: Path
) -> None:
    with_blobs.back_up()
    place = snapshot(with_blobs)
    (victim / OLD).rename(victim / place.name)
    before = tree(victim)
    disk = RacingDisk(lambda: swap(place.parent, victim), "remove_tree", place.name)
    race(with_blobs, disk)
    assert tree(victim) == before


@pytest.mark.parametrize("operation", ["rename", "remove"])
def test_a_part_of_the_pool_that_becomes_a_link_meanwhile_is_not_followed(
    with_blobs: Site, victim: Path, operation: str
) -> None:
    """While a blob is put there, and while one that no backup needs any more is removed."""
    with_blobs.back_up()
    assert with_blobs.blob_dir
    make_blobs(with_blobs.data_fs, with_blobs.blob_dir, 1)
    pack(with_blobs.data_fs, with_blobs.blob_dir, 0)
    [blob] = shard(with_blobs).iterdir()
    (victim / blob.name).write_text("precious")
    before, which = tree(victim), max if operation == "rename" else min

    def becomes() -> None:
        swap(which((with_blobs.repository / "blobs").iterdir()), victim)

    race(with_blobs, RacingDisk(becomes, operation, ".blob"))
    assert tree(victim) == before


@pytest.mark.parametrize("operation", ["make_directory", "set_mode"])
def test_a_new_directory_of_blobs_that_becomes_a_link_while_it_is_made_is_not_followed(
    with_blobs: Site, victim: Path, operation: str
) -> None:
    before = tree(victim)

    def becomes() -> None:
        [made] = [each for each in with_blobs.repository.glob("*.tmp") if each.is_dir()]
        swap(made, victim)

    disk = RacingDisk(becomes, operation, ".tmp" if operation == "make_directory" else "")
    with suppress(ActionError):
        with_blobs.back_up(disk=disk)
    assert disk.happened
    assert tree(victim) == before
    assert not with_blobs.verify().ok
    [*links] = [each for each in with_blobs.repository.rglob("*") if each.is_symlink()]
    for link in links:
        link.unlink()
    with_blobs.more()
    with_blobs.back_up(full=True, keep=1)
    assert tree(victim) == before


def test_a_device_is_not_read_without_an_end(with_blobs: Site) -> None:
    with_blobs.back_up()
    [piece] = with_blobs.repository.glob("*.fs")
    [blob, *_] = sorted((with_blobs.repository / "blobs").rglob("*.blob"))
    for path in (blob, piece):
        path.unlink()
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            pytest.skip("only root may make a device")
        failures = with_blobs.verify().failures
        assert any(path.name in each and "regular file" in each for each in failures), failures
