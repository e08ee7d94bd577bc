"""Repositories of versions that put the blobs of each backup in a directory of its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Site, tree, written_blobs
from tests.support.databases.snapshots import write_snapshots
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.repository_source import backup_source
from zope_exporter.maintenance.restore.restore import restore


@pytest.fixture(params=["linked", "copied"])
def site(site: Site, request: pytest.FixtureRequest) -> Site:
    """A full backup, an incremental one after it, and something new."""
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 3)
    site.back_up()
    site.more()
    site.back_up()
    write_snapshots(site.repository, site.blob_dir, request.param == "linked")
    site.more()
    return site


def snapshots(site: Site) -> list[Path]:
    return sorted((site.repository / "blobs").glob("2*"))


def shards(site: Site) -> list[Path]:
    return sorted((site.repository / "blobs").glob("??"))


def blobs_below(directory: Path) -> dict[str, str]:
    return {path: found for path, found in tree(directory).items() if path.endswith(".blob")}


def test_they_are_listed_verified_and_restored(site: Site) -> None:
    assert [each.problem for each in read_repository(site.repository).backups] == ["", ""]
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    place = Place(site.scratch / "Data.fs", site.scratch / "blobs", "1", 0)
    with backup_source(site.repository, None, None, Silent()) as source:
        restore(source, place, Silent())
    assert site.bytes.startswith(place.data_fs.read_bytes())
    assert blobs_below(site.scratch / "blobs") == blobs_below(snapshots(site)[-1])


def test_what_is_gone_on_from_stays_where_it_is(site: Site) -> None:
    assert site.back_up().kind == "incremental"
    assert len(snapshots(site)) == 2
    assert len([path for each in shards(site) for path in each.iterdir()]) == 1
    newest = read_repository(site.repository).backups[-1]
    assert site.blob_dir
    assert written_blobs(newest, site.scratch / "blobs") == blobs_below(site.blob_dir)
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def test_a_full_backup_takes_what_is_no_file_of_the_database_without_copying(site: Site) -> None:
    first = snapshots(site)[0]
    inodes = {path.stat().st_ino for path in first.rglob("*.blob")}
    assert site.blob_dir
    live = {path.stat().st_ino for path in site.blob_dir.rglob("*.blob")}
    site.back_up(full=True)
    in_pool = {path.stat().st_ino for each in shards(site) for path in each.iterdir()}
    assert not in_pool & live, "a backup shares nothing with the database"
    assert in_pool >= inodes - live
    assert site.verify().ok


def test_they_are_removed_and_what_was_taken_of_them_stays(site: Site) -> None:
    site.back_up()
    site.more()
    site.back_up(full=True, keep=1)
    assert snapshots(site) == []
    assert len(read_repository(site.repository).backups) == 1
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def test_a_blob_that_a_snapshot_lost_is_taken_from_the_database(site: Site) -> None:
    for path in snapshots(site)[-1].rglob("*.blob"):
        path.unlink()
    site.back_up()
    newest = read_repository(site.repository).backups[-1]
    assert site.blob_dir
    assert written_blobs(newest, site.scratch / "blobs") == blobs_below(site.blob_dir)


def flipped(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 4]))


@pytest.mark.parametrize("spoil", [flipped, os.unlink])
def test_no_changed_or_missing_file_of_them_is_accepted(
    site: Site, spoil: Callable[[Path], object]
) -> None:
    shutil.copytree(site.repository, site.scratch / "good")
    paths = [path for path in (site.repository / "blobs").rglob("*") if path.is_file()]
    for path in [*paths, *site.repository.glob("*.blobs")]:
        spoil(path)
        assert not site.verify().ok, path
        path.unlink(missing_ok=True)
        shutil.copyfile(site.scratch / "good" / path.relative_to(site.repository), path)
    assert site.verify().ok
