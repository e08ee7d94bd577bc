"""Every commit that a backup or a copy of a Data.fs has can be had, not only the last of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ZODB.serialize import referencesf

from tests.support.databases.blobs import make_blobs
from tests.support.databases.datafs import storage_at
from tests.support.databases.history import LATER, History
from tests.support.databases.packing import Remembered
from tests.support.databases.repository import Site
from tests.support.programs.exporter import zope_exporter
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.point_in_time import transaction_at
from zope_exporter.maintenance.restore.repository_source import backup_source
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, Transaction
from zope_exporter.storage.filestorage.reader import DataFile

FIRST = 3  # commits that a site begins with


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def transactions(data_fs: Path) -> Iterator[Transaction]:
    with opened(data_fs) as descriptor:
        yield from DataFile(data_fs, descriptor).transactions(FIRST_TRANSACTION, 0)


def write_history(site: Site, count: int) -> None:
    """Write the root and an object that many times; of others only the first remains."""
    with storage_at(site.data_fs) as storage:
        history = History(storage, site.commits)
        for number in range(count):
            written: list[tuple[int, int, list[int]]] = [(0, 5, [1, 2]), (1, 50 + number, [])]
            history.store(written if history.number > FIRST else [*written, (2, 5, [])])
        site.commits = history.number


def place_of(site: Site, with_blobs: bool = False) -> Place:
    target = site.scratch / "restored.fs"
    target.unlink(missing_ok=True)
    return Place(target, site.scratch / "blobs" if with_blobs else None, "1", 0)


def put_back(site: Site, at: int) -> tuple[bytes, str]:
    """Restore from the repository to a new place; return what is there, and what was said."""
    place, report = place_of(site), Remembered()
    with backup_source(site.repository, at.to_bytes(8, "big"), None, report) as source:
        restore(source, place, report)
    return place.data_fs.read_bytes(), report.text


@pytest.mark.parametrize("gzip", [False, True])
def test_each_commit_between_backups_can_be_had(site: Site, gzip: bool) -> None:
    for _ in range(2):
        site.back_up(gzip=gzip)
        site.commit(2)
    site.back_up(full=True, gzip=gzip)
    whole = site.bytes
    states = [(found.tid, whole[: found.end]) for found in transactions(site.data_fs)]
    assert len(states) == 7
    for tid, state in states:
        assert put_back(site, tid)[0] == state
        assert put_back(site, tid + 1)[0] == state
    with pytest.raises(RefusedError, match="no complete backup of or before"):
        put_back(site, states[0][0] - 1)


def test_states_that_a_pack_has_removed_are_those_of_the_backup_before(site: Site) -> None:
    write_history(site, 4)
    site.back_up()
    before = site.bytes
    write_history(site, 3)
    *_, removed, packed = transactions(site.data_fs)
    with storage_at(site.data_fs) as storage:
        storage.pack(LATER, referencesf)
    site.commit(2)
    site.back_up()
    state, told = put_back(site, removed.tid)
    assert state == before
    assert "has removed states of that time" in told
    *_, newest, _ = transactions(site.data_fs)
    for wanted in (packed.tid, newest.tid):
        state, told = put_back(site, wanted)
        ends = [each.end for each in transactions(site.data_fs) if each.tid <= wanted]
        assert state == site.bytes[: ends[-1]]


def test_of_a_restored_site_it_is_what_was_there_then(site: Site) -> None:
    site.commit(2)
    site.back_up()
    *_, middle, _ = transactions(site.data_fs)
    kept = site.bytes[: middle.end]
    site.data_fs.write_bytes(kept)
    site.data_fs.with_name("Data.fs.index").unlink(missing_ok=True)
    site.back_up()
    site.commit(2)
    site.back_up()
    *_, later, _ = transactions(site.data_fs)
    assert put_back(site, later.tid)[0] == site.bytes[: later.end]
    assert put_back(site, middle.tid)[0] == kept


def test_a_copy_of_a_data_fs_has_every_moment_since_it_was_packed(site: Site) -> None:
    whole = site.bytes
    for found in transactions(site.data_fs):
        source = FileSource(site.data_fs, None, found.tid.to_bytes(8, "big"))
        place = place_of(site)
        restore(source, place, Remembered())
        assert place.data_fs.read_bytes() == whole[: found.end]
    with pytest.raises(RefusedError, match="has nothing of or before 2001"):
        FileSource(site.data_fs, None, transaction_at("2001-01-01T00:00Z"))
    write_history(site, 2)
    with storage_at(site.data_fs) as storage:
        storage.pack(LATER, referencesf)
    with pytest.raises(RefusedError, match="was packed, which has removed states"):
        FileSource(site.data_fs, None, transaction_at("2001-01-01T00:00Z"))


def test_blobs_that_came_later_are_left_out(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 2)
    *_, early = transactions(site.data_fs)
    names = {path.name for path in site.blob_dir.rglob("*.blob")}
    make_blobs(site.data_fs, site.blob_dir, 3)
    site.back_up()
    place, report = place_of(site, with_blobs=True), Remembered()
    with backup_source(site.repository, early.tid.to_bytes(8, "big"), None, report) as source:
        restore(source, place, report)
    assert place.data_fs.read_bytes() == site.bytes[: early.end]
    assert place.blob_dir
    assert {path.name for path in place.blob_dir.rglob("*.blob")} == names
    assert "missing" not in report.text


def test_the_command_takes_a_moment_of_a_copy_and_says_how_it_was_understood(
    site: Site, tmp_path: Path
) -> None:
    target = tmp_path / "restored.fs"
    command = ("restore", str(site.data_fs), str(target), "--at")
    run = zope_exporter(*command, "2999-01-01 10:00", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "wanted is the state of 2999-01-01T10:00:00" in run.stderr
    assert target.read_bytes() == site.bytes
    stamp = zope_exporter(*command, "2026-11-22-13-30-00", state_dir=tmp_path)
    assert stamp.returncode == 2
    assert "only a repository has backups with stamps" in stamp.stderr
