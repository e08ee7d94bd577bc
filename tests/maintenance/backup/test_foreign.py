"""Repositories that repozo made, alone or run by collective.recipe.backup."""

import shutil
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.datafs import write
from tests.support.databases.repository import Site, repozo, restored, tree
from zope_exporter.maintenance.backup.pieces import write_restored
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import ActionError, Silent

STAMPS = ["2026-01-01-10-00-00", "2026-01-01-11-00-00", "2026-01-02-10-00-00"]


@pytest.fixture(params=[(), ("-z",)], ids=["plain", "gzip"])
def foreign(request: pytest.FixtureRequest, site: Site) -> Site:
    """A full backup and two incremental ones, as if of different hours."""
    site.repository.mkdir()
    for number, stamp in enumerate(STAMPS):
        made = repozo("-B", "-Q", *request.param, "-r", site.repository, "-f", site.data_fs)
        assert made.returncode == 0, made.stderr
        rename(site.repository, stamp, STAMPS[:number])
        site.commit()
    return site


def rename(repository: Path, stamp: str, before: list[str]) -> None:
    """Give what repozo has just made another stamp."""
    for path in repository.iterdir():
        name, _, suffix = path.name.partition(".")
        if name not in before:
            path.rename(repository / f"{stamp}.{suffix}")
            for dat in repository.glob("*.dat"):
                dat.write_text(dat.read_text().replace(name, stamp))


def test_backups_of_repozo_are_listed_as_complete_but_unproven(foreign: Site) -> None:
    repository = read_repository(foreign.repository)
    assert [(each.stamp, each.kind) for each in repository.backups] == [
        (STAMPS[0], "full"),
        (STAMPS[1], "incremental"),
        (STAMPS[2], "incremental"),
    ]
    assert all(each.complete and not each.proven for each in repository.backups)
    assert repository.last_proven is None


def test_each_backup_of_repozo_can_be_written(foreign: Site) -> None:
    for backup in read_repository(foreign.repository).backups:
        target = foreign.scratch / backup.stamp
        write_restored(backup, target, Silent())
        assert foreign.bytes.startswith(target.read_bytes())
        assert target.stat().st_size == backup.pieces[-1].end
        assert target.stat().st_mode & 0o777 == 0o600


def test_the_pickles_that_repozo_leaves_are_warned_of(foreign: Site) -> None:
    assert len(read_repository(foreign.repository).warnings) == len(STAMPS)


def test_a_missing_repository_has_no_backups(tmp_path: Path) -> None:
    assert read_repository(tmp_path / "nowhere").backups == ()


def test_an_existing_file_is_not_overwritten(foreign: Site) -> None:
    target = foreign.scratch / "Data.fs"
    write(target, 1)
    before = target.read_bytes()
    [*_, newest] = read_repository(foreign.repository).backups
    with pytest.raises(FileExistsError):
        write_restored(newest, target, Silent())
    assert target.read_bytes() == before


def test_a_piece_with_a_changed_byte_is_not_written(foreign: Site) -> None:
    [*_, newest] = read_repository(foreign.repository).backups
    path = foreign.repository / newest.pieces[1].name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ActionError, match=newest.pieces[1].name):
        write_restored(newest, foreign.scratch / "Data.fs", Silent())
    assert list(foreign.scratch.iterdir()) == []


def test_an_empty_list_of_pieces_is_no_backup(foreign: Site) -> None:
    (foreign.repository / f"{STAMPS[0]}.dat").write_bytes(b"")
    assert read_repository(foreign.repository).complete == ()


def test_a_piece_that_is_not_listed_is_no_backup(foreign: Site) -> None:
    dat = foreign.repository / f"{STAMPS[0]}.dat"
    dat.write_text("".join(dat.read_text().splitlines(keepends=True)[:-1]))
    complete = read_repository(foreign.repository).complete
    assert [each.stamp for each in complete] == STAMPS[:2]


def test_what_collective_recipe_backup_keeps_is_continued_and_its_blobs_left_alone(
    site: Site,
) -> None:
    """It lets repozo write to var/backups, and rsync to var/blobstoragebackups."""
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobstorage"
    make_blobs(site.data_fs, site.blob_dir, 2)
    site.repository = site.data_fs.parent / "backups"
    site.repository.mkdir()
    made = repozo("-B", "-Q", "-z", "-r", site.repository, "-f", site.data_fs)
    assert made.returncode == 0, made.stderr
    rename(site.repository, STAMPS[0], [])
    of_recipe = site.data_fs.parent / "blobstoragebackups"
    copied = of_recipe / f"blobstorage.{STAMPS[0]}"
    shutil.copytree(site.blob_dir, copied / "blobstorage")
    (of_recipe / "latest").symlink_to(copied.name)
    before = tree(of_recipe)
    site.now += 2 * 86400.0
    site.more()
    assert site.back_up(gzip=True).kind == "incremental"
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    assert restored(site.repository, site.scratch / "Data.fs") == site.bytes
    assert tree(of_recipe) == before
