"""A repository on a disk of its own, which may be full."""

import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Site, repozo, restored, tree
from tests.support.faults.disk import QuickDisk
from tests.support.faults.small_disk import small_disk_at
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    with small_disk_at(tmp_path / "disk") as place:
        site.repository = place / "backups"
        site.repository.mkdir()
        yield site


class FillingDisk(QuickDisk):
    """Somebody else takes all of the room once the first file is begun."""

    def __init__(self, filler: Path, size: int) -> None:
        self._filler = filler
        self._size = size

    def create(self, path: Path, dir_fd: int | None = None) -> int:
        descriptor = super().create(path, dir_fd)
        if not self._filler.exists():
            fill(self._filler, self._size)
        return descriptor


def fill(filler: Path, size: int) -> None:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while size > 0:
            size -= file.write(bytes(min(size, 1 << 12)))


def test_blobs_are_copied_to_another_file_system_once(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 3)
    site.hard_links = True  # which cannot be there
    site.back_up()
    copies = {path: path.stat() for path in (site.repository / "blobs").rglob("*.blob")}
    assert len(copies) == 3
    site.more()
    site.back_up(full=True)
    assert {path: path.stat() for path in copies} == copies
    assert len(list((site.repository / "blobs").rglob("*.blob"))) == 4
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def test_new_blobs_want_room_and_those_that_are_there_do_not(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 1)
    site.back_up()
    [blob] = site.blob_dir.rglob("*.blob")
    blob.chmod(0o600)
    with blob.open("r+b") as file:
        file.truncate(9 << 20)
    site.more()
    site.back_up()
    shutil.rmtree(site.repository)
    with pytest.raises(RefusedError, match="the backup with its new blobs may need") as refused:
        site.back_up()
    assert refused.value.code == "room"
    assert "hard_links" not in refused.value.remedy, "between two file systems there are none"


def test_where_links_would_do_the_refusal_names_them(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with small_disk_at(tmp_path / "disk") as place:
        site.data_fs, site.blob_dir = place / "Data.fs", place / "blobs"
        site.repository = place / "backups"
        site.repository.mkdir()
        make_blobs(site.data_fs, site.blob_dir, 1)
        [blob] = site.blob_dir.rglob("*.blob")
        blob.chmod(0o600)
        with blob.open("r+b") as file:
            file.truncate(9 << 20)  # sparse: its copy need not be
        with pytest.raises(RefusedError, match="with its new blobs may need") as refused:
            site.back_up()
        assert "backup.hard_links" in refused.value.remedy
        site.hard_links = True
        assert site.back_up().blobs == 1


def test_a_backup_for_whose_blobs_there_are_no_inodes_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 40)
    with small_disk_at(tmp_path / "disk", "size=5m,nr_inodes=280") as place:
        site.repository = place / "backups"
        site.repository.mkdir()
        with pytest.raises(RefusedError, match="inodes") as refused:
            site.back_up()
        assert refused.value.code == "room"
        assert list(site.repository.iterdir()) == []


def test_a_backup_for_which_there_is_no_room_is_refused_before_it_begins(site: Site) -> None:
    filler = site.repository.parent / "filler"
    fill(filler, 2 << 20)
    with pytest.raises(RefusedError, match="are free") as refused:
        site.back_up()
    assert refused.value.code == "room"
    assert list(site.repository.iterdir()) == []
    filler.unlink()
    site.back_up()
    before = tree(site.repository)
    fill(filler, 2 << 20)
    with pytest.raises(RefusedError) as refused:
        site.verify()
    assert refused.value.code == "room"
    assert tree(site.repository) == before


@pytest.mark.parametrize("gzip", [False, True])
def test_promise_4_a_disk_that_is_full_meanwhile_fails_the_backup_and_not_the_next(
    site: Site, gzip: bool
) -> None:
    site.back_up(gzip=gzip)
    before = tree(site.repository)
    site.commit(1, random.Random(1).randbytes(50_000))
    filler = site.repository.parent / "filler"
    with pytest.raises(ActionError, match="No space left"):
        site.back_up(gzip=gzip, disk=FillingDisk(filler, 5 << 20))
    assert tree(site.repository) == before
    filler.unlink()
    assert site.back_up(gzip=gzip).kind == "incremental"
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    assert repozo("-V", "-r", site.repository).returncode == 0
    assert restored(site.repository, site.scratch / "Data.fs") == site.bytes


def test_a_disk_that_becomes_full_while_a_backup_is_tried_is_named(site: Site) -> None:
    site.commit(data=bytes(1 << 14))
    site.back_up()
    disk = FillingDisk(site.repository.parent / "filler", 64 << 20)
    with pytest.raises(ActionError, match="No space left on device: /") as failed:
        site.verify(disk=disk)
    assert failed.value.stage == "verifying"
