"""Restoring from repositories, ours and repozo's."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import transaction
import ZODB
from ZODB.FileStorage import FileStorage

from tests.support.databases.packing import Remembered, blob_dir_of, items, make_database
from zope_exporter.maintenance.backup.run import backup
from zope_exporter.maintenance.backup.target import BackupSettings, Source
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Silent
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.point_in_time import transaction_at
from zope_exporter.maintenance.restore.repository_source import backup_source
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.storage.filestorage.tail import read_tail


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    data_fs = tmp_path / "site/Data.fs"
    make_database(data_fs, revisions=3, blobs=4)
    return data_fs


def change(data_fs: Path, data: bytes) -> None:
    storage = FileStorage(str(data_fs), blob_dir=str(blob_dir_of(data_fs)))
    database = ZODB.DB(storage)
    connection = database.open()
    connection.root()["item"] = {"data": data}
    transaction.commit()
    connection.close()
    database.close()


def back_up(site: Path, repository: Path) -> None:
    backup(Source(site, blob_dir_of(site)), repository, BackupSettings(), Silent())


def put_back(repository: Path, data_fs: Path, at: bytes | None = None) -> Remembered:
    report = Remembered()
    with backup_source(repository, at, None, report) as source:
        restore(source, Place(data_fs, blob_dir_of(data_fs), "1", 0), report)
    return report


def last_tid(data_fs: Path) -> bytes:
    last = read_tail(data_fs).last
    assert last
    return last.tid.to_bytes(8, "big")


def test_the_newest_backup_is_restored_with_its_blobs(site: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    back_up(site, repository)
    change(site, b"second")
    back_up(site, repository)
    wanted, content = items(site), site.read_bytes()
    shutil.rmtree(site.parent)
    site.parent.mkdir()
    report = put_back(repository, site)
    assert site.read_bytes() == content
    assert items(site) == wanted
    assert "restoring the incremental backup to" in report.text


def test_the_backup_of_a_moment_is_the_last_before_it(site: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    back_up(site, repository)
    first, wanted = last_tid(site), items(site)
    change(site, b"second")
    back_up(site, repository)
    second = last_tid(site)
    between = (int.from_bytes(second, "big") - 1).to_bytes(8, "big")
    for moment in (first, between):
        shutil.rmtree(site.parent)
        site.parent.mkdir()
        put_back(repository, site, moment)
        assert items(site) == wanted
        assert last_tid(site) == first


def test_a_moment_before_all_backups_is_a_refusal(site: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    back_up(site, repository)
    before = site.read_bytes()
    with pytest.raises(RefusedError) as refused:
        put_back(repository, site, transaction_at("2001-01-01T00:00:00Z"))
    assert refused.value.code == "missing"
    assert "the earliest is of" in refused.value.remedy
    assert site.read_bytes() == before


@pytest.mark.parametrize("suffix", [".fs", ".blob"])
def test_promise_6_a_damaged_backup_touches_nothing(
    site: Path, tmp_path: Path, suffix: str
) -> None:
    repository = tmp_path / "repository"
    back_up(site, repository)
    damaged = next(path for path in repository.rglob(f"*{suffix}") if path.is_file())
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.unlink()  # it may be a link to the very file
    damaged.write_bytes(content)
    change(site, b"later")
    before = {path: path.read_bytes() for path in site.parent.rglob("*") if path.is_file()}
    with pytest.raises(ActionError):
        put_back(repository, site)
    after = {path: path.read_bytes() for path in site.parent.rglob("*") if path.is_file()}
    assert after == before


def test_promise_28_an_index_of_a_repository_is_not_restored(site: Path, tmp_path: Path) -> None:
    """Facts 0, 8: repozo -R copies it, and Zope runs what is in it."""
    repository, marker = tmp_path / "repository", tmp_path / "executed"
    repozo = [sys.executable, "-m", "ZODB.scripts.repozo", "-B"]
    repository.mkdir()
    subprocess.run([*repozo, "-r", str(repository), "-f", str(site)], check=True, timeout=60)
    (index,) = repository.glob("*.index")
    index.write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(marker).encode())
    content = site.read_bytes()
    site.unlink()
    site.with_name("Data.fs.index").unlink()
    report = put_back(repository, site)
    assert site.read_bytes() == content
    assert "never proven" in report.text
    FileStorage(str(site)).close()
    assert not marker.exists()
