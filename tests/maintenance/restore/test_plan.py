"""What a restore would do, said while the site and its backups are in use."""

from contextlib import closing
from pathlib import Path

import pytest
from ZODB.FileStorage import FileStorage

from tests.support.databases.packing import make_database
from tests.support.databases.repository import Site
from zope_exporter.maintenance.backup.repository import exclusive
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.plan import Answer
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.plan import (
    Why,
    about_backup,
    about_losses,
    about_room,
    needed,
)
from zope_exporter.maintenance.restore.repository_source import backup_source, choose_backup
from zope_exporter.maintenance.restore.restore import restore


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.back_up()
    return site


def tids(data_fs: Path) -> list[bytes]:
    with closing(FileStorage(str(data_fs), read_only=True)) as storage:
        return [transaction.tid for transaction in storage.iterator()]


def lost(site: Site, at: bytes | None = None) -> Answer:
    return about_losses(choose_backup(site.repository, at, None, Silent()), site.data_fs)


@pytest.mark.parametrize(("later", "at"), [(0, None), (3, None), (3, -2), (0, 1)])
def test_as_many_transactions_are_lost_as_is_said(site: Site, later: int, at: int | None) -> None:
    if later:
        site.commit(later)
    live = tids(site.data_fs)
    moment = None if at is None else live[at]
    if moment:
        site.back_up()  # the state of a moment may be in the midst of a later backup
    told = lost(site, moment)
    target = site.scratch / "Data.fs"
    with backup_source(site.repository, moment, None, Silent()) as source:
        restore(source, Place(target, None, "1", 0), Silent())
    gone = len(live) - len(tids(target))
    assert tids(target) == live[: len(live) - gone]
    assert (told.facts["transactions"], told.facts["same_history"]) == (gone, True)
    assert (gone > 0) == (not told.text.startswith("no transaction"))


def test_a_file_of_another_history_is_told_from_one_that_went_on(
    site: Site, tmp_path: Path
) -> None:
    other = tmp_path / "other.fs"
    make_database(other, revisions=1)
    source = choose_backup(site.repository, None, None, Silent())
    told = about_losses(source, other)
    assert told.facts["same_history"] is False
    assert "of another history" in told.text
    missing = about_losses(source, tmp_path / "missing.fs")
    assert missing.facts["transactions"] == 0
    other.write_bytes(b"FS30" + b"nonsense" * 10)
    assert about_losses(source, other).text.startswith("unknown: ")


def test_it_waits_for_nobody_and_touches_nothing(site: Site) -> None:
    why, place = Why(), Place(site.data_fs, None, "1")
    watched = site.repository, site.data_fs.parent
    before = [path.stat() for each in watched for path in (each, *sorted(each.iterdir()))]
    with exclusive(site.repository):
        source = choose_backup(site.repository, None, None, why)
        answers = {each.name: each for each in about_backup(source, why.lines, site.clock())}
        needs = needed(source, place)
    [system] = about_room(needs).facts["file_systems"]
    after = [path.stat() for each in watched for path in (each, *sorted(each.iterdir()))]
    assert [each.st_mtime_ns for each in after] == [each.st_mtime_ns for each in before]
    size = site.data_fs.stat().st_size
    assert answers["size"].facts["data_bytes"] == size
    assert system["needed_bytes"] >= size + place.headroom
    assert answers["proof"].facts["proven"] is None
    assert "it was never proven before" in answers["backup"].text
    site.verify()
    proven = choose_backup(site.repository, None, None, why)
    [proof] = [each for each in about_backup(proven, [], site.clock()) if each.name == "proof"]
    assert proof.facts["proven_by"] == "restore"
