"""Backups stay where they are, whatever their database is called by now."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases.repository import repozo
from tests.support.databases.zodb import ZopeSite, pack
from zope_exporter.maintenance.backup.identity import OtherDatabaseError
from zope_exporter.maintenance.backup.place import Place, place_of
from zope_exporter.maintenance.jobs.report import ActionError


class Site(ZopeSite):
    packed_to = 0.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return numbered(tmp_path)


def numbered(directory: Path) -> Site:
    """A database that was backed up when nothing told its name but the number of its server."""
    site = Site(directory)
    site.repository = directory / "backups/databases/1"
    site.repository.parent.mkdir(parents=True)
    site.database = "1"
    site.commit(2)
    site.packed_to = time.time()
    site.commit()
    site.back_up()
    return site


@pytest.fixture
def root(site: Site) -> Path:
    return site.repository.parent.parent


def place(site: ZopeSite, root: Path, database: str = "main", *siblings: str) -> Place:
    """Where that of a site with another one is, so that it has to be told by the transactions."""
    return place_of(root, site.name, database, site.data_fs, ("users", *siblings))


def nothing(site: Site) -> None:
    pass


def commits(site: Site) -> None:
    site.commit(3)


def packed(site: Site) -> None:
    site.commit(3)
    size = site.data_fs.stat().st_size
    pack(site.data_fs, site.packed_to)
    assert site.data_fs.stat().st_size < size
    site.commit(2)


def packed_beyond(site: Site) -> None:
    """Past all that the newest backup ends with: of what was backed up, only old objects stay."""
    site.commit(3)
    pack(site.data_fs)
    site.commit(2)


@pytest.mark.parametrize("since", [nothing, commits, packed, packed_beyond])
def test_a_database_that_got_a_name_goes_on_where_its_backups_are(
    site: Site, root: Path, since: Callable[[Site], None]
) -> None:
    since(site)
    assert place(site, root) == place(site, root, "1") == Place("1", site.repository)


@pytest.mark.parametrize("compressed", [False, True])
def test_so_does_one_whose_last_backups_hold_nothing_that_a_pack_has_kept(
    site: Site, root: Path, compressed: bool
) -> None:
    for full in (True, False):
        site.commit()
        site.back_up(full, compressed)
    packed_beyond(site)
    assert place(site, root) == Place("1", site.repository)
    newest = max(site.repository.glob("*.fs*"))
    newest.write_bytes(newest.read_bytes()[:30])
    assert place(site, root) == Place("main", root), "what cannot be read is not gone by"


def test_and_so_does_one_whose_zope_is_no_longer_found(site: Site, root: Path) -> None:
    shutil.copytree(site.repository, root, dirs_exist_ok=True)
    shutil.rmtree(root / "databases")
    site.commit()
    assert place(site, root, "1") == Place("1", root)


@pytest.mark.parametrize("order", [("other", "own"), ("own", "other")])
@pytest.mark.parametrize("since", [nothing, packed_beyond])
def test_another_database_begins_where_its_name_leads(
    tmp_path: Path, order: tuple[str, str], since: Callable[[Site], None]
) -> None:
    sites = {}
    for name in order:
        (tmp_path / name).mkdir()
        sites[name] = numbered(tmp_path / name)
    other, root = sites["other"], tmp_path / "own/backups"
    since(other)
    assert place(other, root) == Place("main", root)
    assert place(other, root, "cata.log") == Place("cata.log", root / "databases/cata%2Elog")


def test_of_a_copy_and_its_original_each_has_its_own(site: Site, root: Path) -> None:
    assert place(site, root, "archive", "1") == Place("archive", root / "databases/archive")
    assert place(site, root, "1", "archive") == Place("1", site.repository)


def test_what_is_in_the_place_of_its_name_comes_first(site: Site, root: Path) -> None:
    repozo("-BF", "-r", root, "-f", site.data_fs)
    assert place(site, root) == Place("main", root)


def missing(site: Site) -> None:
    site.data_fs.unlink()


def made_anew(site: Site) -> None:
    """As Zope does where a file system is not mounted."""
    site.make_anew()


@pytest.mark.parametrize("since", [nothing, packed_beyond, missing, made_anew])
def test_the_only_database_of_a_site_has_the_only_backups(
    site: Site, root: Path, since: Callable[[Site], None]
) -> None:
    """So what is made anew is refused under another name as well, and what is lost is found."""
    since(site)
    site.database, site.repository = place_of(root, site.name, "main", site.data_fs)
    assert (site.database, site.repository) == Place("1", root / "databases/1")
    if since is made_anew:
        with pytest.raises(OtherDatabaseError, match="made anew"):
            site.back_up()


def test_of_two_directories_neither_is_the_only_one(site: Site, root: Path) -> None:
    shutil.copytree(site.repository, root / "databases/2")
    site.make_anew()
    assert place_of(root, site.name, "main", site.data_fs) == Place("main", root)


def test_those_of_another_site_are_not_its_own(site: Site, root: Path) -> None:
    assert place_of(root, "extranet", "main", site.data_fs) == Place("main", root)


def test_what_cannot_be_read_is_not_gone_by(site: Site, root: Path) -> None:
    here = Place("main", root)
    (root / "databases/linked").symlink_to(site.repository)
    [manifest] = site.repository.glob("*.manifest")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b'"site"', b'"sight"'))
    assert place(site, root) == here
    manifest.write_bytes(whole)
    assert place(site, root).path == site.repository
    site.data_fs.write_bytes(b"no Data.fs")
    assert place(site, root) == here
    site.data_fs.unlink()
    assert place(site, root) == here


@pytest.mark.parametrize("database", ["main", "1"])
def test_a_directory_that_cannot_be_read_fails_whoever_reads_there(
    site: Site, tmp_path: Path, database: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    site.database, site.repository = place(site, file, database)
    with pytest.raises(ActionError, match="Not a directory: ") as failed:
        site.back_up()
    assert failed.value.stage == "writing the backup"


def test_a_backup_made_there_goes_on_with_the_chain(site: Site, root: Path) -> None:
    site.commit()
    site.database, site.repository = place(site, root)
    assert site.back_up().kind == "incremental"
    verdict = site.verify()
    assert verdict.ok, verdict.failures
