"""Blobs are in the repository once, whichever backups list them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs, pack
from tests.support.databases.many_blobs import make_many_blobs
from tests.support.databases.repository import Noted, Site, written_blobs
from tests.support.faults.disk import FaultyDisk, QuickDisk, killed
from tests.support.faults.small_disk import small_disk_at
from zope_exporter.maintenance.backup.disk import Disk
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.verification_record import Level

MANY = 10_000


@pytest.fixture
def site(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 4)
    return site


def pool(site: Site) -> dict[str, Path]:
    """The files of the pool by their names."""
    return {path.name: path for path in (site.repository / "blobs").rglob("*.blob")}


def contents(site: Site) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in pool(site).items()}


def live(site: Site) -> list[Path]:
    assert site.blob_dir
    return sorted(site.blob_dir.rglob("*.blob"))


def forget(site: Site, count: int) -> None:
    """Have a pack remove the first blobs from the database."""
    assert site.blob_dir
    pack(site.data_fs, site.blob_dir, count)


def entries(directory: Path) -> tuple[int, int]:
    """How many directories and files are below one."""
    found = [(len(inside), len(names)) for _, inside, names in os.walk(directory)]
    return sum(each[0] for each in found), sum(each[1] for each in found)


def test_of_many_blobs_and_three_new_ones_three_are_written(tmp_path: Path) -> None:
    # In memory: to remove so many directories takes a disk most of a minute.
    with small_disk_at(tmp_path / "disk", "size=1g") as place:
        check_that_three_are_written(Site(place))


def check_that_three_are_written(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_many_blobs(site.data_fs, site.blob_dir, MANY)
    site.back_up()
    before, blobs = entries(site.repository), pool(site)
    assert len(blobs) == MANY
    assert before[0] <= 256 + 1
    make_many_blobs(site.data_fs, site.blob_dir, 3)
    assert site.back_up().blobs == MANY + 3
    assert entries(site.repository)[0] == before[0]
    assert len(pool(site)) == MANY + 3
    lists = sorted(site.repository.glob("*.blobs"))
    assert [len(path.read_bytes().splitlines()) for path in lists] == [MANY, 3]
    assert site.verify(Level.CHECKSUMS).ok


def test_a_blob_is_a_file_of_its_own(site: Site) -> None:
    """What damages the file of the database does not damage the backups."""
    site.back_up()
    for path in live(site):
        assert path.stat().st_nlink == 1
        path.chmod(0o600)
        path.write_bytes(b"")
    assert site.verify(Level.CHECKSUMS).ok


def test_where_that_is_asked_for_it_is_the_file_of_the_database(site: Site) -> None:
    site.hard_links = True
    site.back_up()
    assert all(path.stat().st_nlink == 2 for path in live(site))
    site.more()
    site.back_up(full=True)
    assert all(path.stat().st_nlink == 2 for path in live(site))
    assert site.verify().ok


class SharingDisk(QuickDisk):
    """One whose file system lets copies share blocks, as Btrfs and XFS do."""

    def clone(self, source: int, target: int) -> bool:
        os.pwrite(target, os.pread(source, os.fstat(source).st_size, 0), 0)
        return True


def test_a_copy_that_shares_blocks_is_read_and_not_written(site: Site) -> None:
    site.back_up(disk=SharingDisk())
    assert sorted(contents(site).values()) == sorted(path.read_bytes() for path in live(site))
    assert all(path.stat().st_nlink == 1 for path in live(site))
    assert site.verify().ok


@pytest.mark.parametrize("how", ["lost", "cut off", "changed"])
@pytest.mark.parametrize("new", [True, False])
def test_a_blob_that_the_pool_has_no_more_is_copied_again(site: Site, how: str, new: bool) -> None:
    site.back_up()
    path = min(pool(site).values())
    content = path.read_bytes()
    path.unlink()
    if how != "lost":
        path.write_bytes(content[:-1] + (b"" if how == "cut off" else b"x"))
    [failure] = site.verify().failures
    assert path.name in failure
    if new:
        site.more()
    noted = Noted()
    assert (site.back_up(report=noted).kind == "incremental") == new
    assert [line for line in noted.lines if path.name in line and "again" in line]
    assert path.read_bytes() == content
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    assert all(each.proven for each in read_repository(site.repository).backups)


def test_what_the_database_has_otherwise_does_not_replace_what_was_backed_up(site: Site) -> None:
    site.back_up()
    wanted = contents(site)
    for path in live(site):
        path.chmod(0o600)
        path.write_bytes(b"spoilt")
    site.more()
    site.back_up()
    assert {
        name: path.read_bytes() for name, path in pool(site).items() if name in wanted
    } == wanted
    lost = min(pool(site).values())
    lost.unlink()
    assert not site.verify(Level.CHECKSUMS).ok
    noted = Noted()
    assert site.back_up(report=noted).kind == "unchanged"
    assert any("not in the database as it was" in line for line in noted.lines)
    assert not lost.exists()


def test_what_an_older_backup_has_alone_is_not_replaced_either(site: Site) -> None:
    """A blob that was lost in the database comes back, and is not what it was."""
    site.back_up()
    wanted = contents(site)
    path = live(site)[0]
    path.unlink()
    site.more()
    site.back_up()
    path.write_bytes(b"spoilt")
    site.more()
    site.back_up()
    assert {
        name: path.read_bytes() for name, path in pool(site).items() if name in wanted
    } == wanted
    assert site.verify().ok


def test_what_no_backup_lists_any_more_is_removed_and_nothing_else(site: Site) -> None:
    site.back_up()
    first = pool(site).keys()
    forget(site, 2)
    site.more()
    site.back_up(keep=2)
    both = pool(site).keys()
    assert first < both
    site.more()
    assert site.back_up(full=True, keep=2).removed
    left = {path.name for path in live(site)}
    assert {name.partition(".")[2] for name in pool(site)} == {name[2:] for name in left}
    assert len(first - pool(site).keys()) == 2
    verdict = site.verify()
    assert verdict.ok, verdict.failures


@pytest.mark.parametrize("suffix", [".blobs", ".manifest"])
def test_nothing_is_removed_while_a_list_cannot_be_read(site: Site, suffix: str) -> None:
    site.back_up()
    forget(site, 2)
    for full in (True, False, True):
        site.more()
        site.back_up(full=full)
    before = pool(site).keys()
    [*_, broken, _] = [each.stamp for each in read_repository(site.repository).backups]
    (site.repository / f"{broken}{suffix}").write_bytes(b"spoilt")
    noted = Noted()
    assert len(site.back_up(full=True, keep=3, report=noted).removed) == 1
    assert any("no blobs are removed" in line and suffix in line for line in noted.lines)
    assert before <= pool(site).keys()


class Stopped(FaultyDisk):
    """Counts the operations up to the first removal of a blob."""

    def remove(self, path: Path, dir_fd: int | None = None) -> None:
        if path.suffix == ".blob" and self.first is None:
            self.first = self.count
        super().remove(path, dir_fd)

    first: int | None = None


def test_a_crash_between_the_lists_and_the_pool_leaves_what_the_next_backup_removes(
    site: Site,
) -> None:
    site.back_up()
    site.verify()
    forget(site, 3)
    site.more()
    site.back_up(full=True)
    site.verify()
    copies = list(_copies(site, 2))
    counting = Stopped()
    copies[0].back_up(full=True, keep=1, disk=counting)
    wanted = pool(copies[0]).keys()
    assert counting.first
    crashed = copies[1]

    def run(disk: Disk) -> object:
        return crashed.back_up(full=True, keep=1, disk=disk)

    assert killed(run, counting.first)
    assert not [each for each in crashed.repository.glob("*.blobs") if len(each.name) > 40]
    assert wanted < pool(crashed).keys()
    assert crashed.verify().ok, "what is left over does no harm"
    crashed.now += 3600
    crashed.back_up(keep=1)
    assert pool(crashed).keys() == wanted
    assert crashed.verify().ok


def _copies(site: Site, count: int) -> Iterator[Site]:
    for number in range(count):
        other = site.with_repository(site.scratch / f"copy-{number}")
        shutil.copytree(site.repository, other.repository)
        yield other


def test_each_backup_has_its_own_blobs(site: Site) -> None:
    wanted = {}
    for number in range(4):
        stamp = site.back_up(full=number == 2).stamp
        wanted[stamp] = len(live(site))
        if number == 1:
            forget(site, 1)
        site.more()
    found = {
        backup.stamp: len(written_blobs(backup, site.scratch / "blobs"))
        for backup in read_repository(site.repository).backups
    }
    assert found == wanted


def test_a_blob_that_the_database_lost_is_in_the_backups_before(site: Site) -> None:
    site.back_up()
    live(site)[0].unlink()
    site.more()
    assert site.back_up().blobs == 4
    backups = read_repository(site.repository).backups
    assert [len(written_blobs(each, site.scratch / "blobs")) for each in backups] == [4, 4]
