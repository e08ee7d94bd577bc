"""Which backup is restored after an earlier restore has given up a part of the history."""

from pathlib import Path

import pytest

from tests.support.databases.packing import Remembered
from tests.support.databases.repository import Site, repozo, restored
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.point_in_time import transaction_at
from zope_exporter.maintenance.restore.repository_source import backup_source
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.storage.filestorage.tail import read_tail

END_OF_TIME = transaction_at("9999-12-31T23:59:59Z")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def put_back(site: Site, at: bytes | str | None = None) -> bytes:
    """Restore to a new place; return what is there."""
    target = site.scratch / "restored.fs"
    target.unlink(missing_ok=True)
    report = Remembered()
    with backup_source(site.repository, at, None, report) as source:
        restore(source, Place(target, None, "1", 0), report)
    return target.read_bytes()


def last_tid(site: Site) -> bytes:
    last = read_tail(site.data_fs).last
    assert last
    return last.tid.to_bytes(8, "big")


def vandalised_and_put_back(site: Site) -> tuple[bytes, bytes, bytes]:
    """Return the good state, and the last transactions of it and of the bad one."""
    site.back_up()
    good, good_tid = site.bytes, last_tid(site)
    site.commit(2, b"vandalised")
    site.back_up()
    bad_tid = last_tid(site)
    site.data_fs.write_bytes(put_back(site, good_tid))
    site.data_fs.with_name("Data.fs.index").unlink(missing_ok=True)
    assert site.back_up().kind == "full"
    return good, good_tid, bad_tid


@pytest.mark.parametrize("at", [None, END_OF_TIME])
def test_the_newest_backup_is_the_one_made_last_as_it_is_for_repozo(
    site: Site, at: bytes | None
) -> None:
    good, _, _ = vandalised_and_put_back(site)
    assert restored(site.repository, site.scratch / "by-repozo.fs") == good
    assert put_back(site, at) == good


def test_of_a_moment_it_is_the_one_made_last_that_has_nothing_of_later(site: Site) -> None:
    good, good_tid, bad_tid = vandalised_and_put_back(site)
    assert put_back(site, bad_tid) == good
    assert put_back(site, good_tid) == good
    site.commit(1, b"after the restore")
    site.back_up()
    assert put_back(site) == site.bytes
    assert put_back(site, END_OF_TIME) == site.bytes
    assert put_back(site, last_tid(site)) == site.bytes
    assert put_back(site, good_tid) == good


def test_a_stamp_names_the_very_backup_as_for_repozo(site: Site) -> None:
    vandalised_and_put_back(site)
    backups = read_repository(site.repository).backups
    for backup in backups:
        target = site.scratch / "by-repozo.fs"
        target.unlink(missing_ok=True)
        done = repozo("-R", "-r", site.repository, "-o", target, "-D", backup.stamp)
        assert done.returncode == 0, done.stderr
        assert put_back(site, backup.stamp) == target.read_bytes(), backup.stamp
    assert len(backups) == 3
    with pytest.raises(RefusedError, match="no complete backup of or before 2025-01-01-00-00-00"):
        put_back(site, "2025-01-01-00-00-00")


def test_instead_of_a_damaged_piece_the_newest_backup_that_is_whole_is_named(site: Site) -> None:
    stamps = []
    for _ in range(3):
        stamps.append(site.back_up().stamp)
        site.commit()
    full, *others = sorted(site.repository.glob("*fs"))
    for damaged in others:
        content = bytearray(damaged.read_bytes())
        content[-20] ^= 1
        damaged.write_bytes(content)
        with pytest.raises(ActionError, match=rf"{others[0].name}: .*--at {stamps[0]}"):
            put_back(site)
    first = put_back(site, stamps[0])
    assert first == full.read_bytes()
    full.write_bytes(bytes(len(first)))
    with pytest.raises(ActionError, match="no other backup of that time or before is whole"):
        put_back(site)


def test_where_only_other_databases_were_backed_up_they_are_named(site: Site) -> None:
    (site.repository / "databases/catalog").mkdir(parents=True)
    with pytest.raises(RefusedError, match="databases/catalog"):
        put_back(site)
