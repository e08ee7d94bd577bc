"""Links, FIFOs and devices among the files of a repository: nothing leads out of it."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Noted, Site, repozo, tree
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.snapshot_maker import write_blobs
from zope_exporter.maintenance.backup.snapshots import check_blobs
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


def snapshot(site: Site, stamp: str = "") -> Path:
    """The blobs of a backup, the newest if none is named."""
    return max((site.repository / "blobs").glob(f"{stamp}*"))


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
    assert any("symbolic link" in each for each in check_blobs(backup, Silent()))
    with pytest.raises(OSError, match="symbolic link"):
        write_blobs(backup, tmp_path / "written", Silent())
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
    [blob, *_] = snapshot(with_blobs).rglob("*.blob")
    assert with_blobs.blob_dir
    here = with_blobs.blob_dir / blob.relative_to(snapshot(with_blobs))
    assert blob.samefile(here), "taken from the database, not from behind the link"
    with_blobs.back_up(full=True, keep=1)
    assert tree(moved) == before
    assert len(list((with_blobs.repository / "blobs").iterdir())) == 1
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


def test_blobs_are_not_put_in_the_place_of_a_link(with_blobs: Site, victim: Path) -> None:
    """Those that repozo's piece is given when it is gone on from."""
    with_blobs.repository.mkdir()
    made = repozo("-B", "-r", with_blobs.repository, "-f", with_blobs.data_fs)
    assert made.returncode == 0, made.stderr
    [piece] = with_blobs.repository.glob("*.fs")
    (with_blobs.repository / "blobs").mkdir()
    (with_blobs.repository / "blobs" / piece.name.partition(".")[0]).symlink_to(victim)
    before = tree(victim)
    with pytest.raises(ActionError, match="symbolic link"):
        with_blobs.back_up()
    assert tree(victim) == before


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

    def link(
        self, old: Path, new: Path, old_fd: int | None = None, new_fd: int | None = None
    ) -> None:
        self._now("link", new)
        super().link(old, new, old_fd, new_fd)

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


@pytest.mark.parametrize("operation", ["make_directory", "link"])
def test_a_new_snapshot_that_becomes_a_link_while_it_is_made_is_not_followed(
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
    [blob, *_] = sorted(snapshot(with_blobs).rglob("*.blob"))
    for path in (blob, piece):
        path.unlink()
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            pytest.skip("only root may make a device")
        failures = with_blobs.verify().failures
        assert any(path.name in each and "regular file" in each for each in failures), failures
