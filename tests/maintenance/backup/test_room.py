"""A repository on a disk of its own, which may be full."""

import random
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


def test_blobs_are_copied_to_another_file_system_and_linked_there(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 3)
    first = site.back_up()
    copies = sorted((site.repository / "blobs" / first.stamp).rglob("*.blob"))
    assert [copy.stat().st_nlink for copy in copies] == [1, 1, 1]
    site.more()
    second = site.back_up()
    assert [copy.stat().st_nlink for copy in copies] == [2, 2, 2]
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    snapshot = tree(site.repository / "blobs" / second.stamp)
    original = tree(site.blob_dir)
    assert {path: original[path] for path in snapshot} == snapshot
    assert len(snapshot) == 5  # the layout is one


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
