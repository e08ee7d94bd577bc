"""The power goes at any moment of a backup: what was not synced is lost, and nothing lies."""

import shutil
from collections.abc import Callable

import pytest

from tests.support.databases.blobs import make_blobs, pack
from tests.support.databases.repository import Site, tree, written_blobs
from tests.support.faults.power import PowerDisk, write_tree
from zope_exporter.maintenance.backup.pieces import write_restored
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import Silent


def first(site: Site) -> None:
    site.repository.mkdir()


def incremental(site: Site) -> None:
    site.back_up()
    site.more()


def compressed(site: Site) -> None:
    site.back_up(gzip=True)
    site.more()


def pruning(site: Site) -> None:
    site.back_up()
    assert site.blob_dir
    site.more()
    pack(site.data_fs, site.blob_dir, 0)
    site.back_up()
    site.more()


SCENES: dict[str, tuple[Callable[[Site], None], Callable[[Site, PowerDisk], object]]] = {
    "first": (first, lambda site, disk: site.back_up(disk=disk)),
    "incremental": (incremental, lambda site, disk: site.back_up(disk=disk)),
    "compressed": (compressed, lambda site, disk: site.back_up(gzip=True, disk=disk)),
    "pruning": (pruning, lambda site, disk: site.back_up(full=True, keep=1, disk=disk)),
}


@pytest.fixture
def site(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 2)
    return site


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_what_is_left_of_a_backup_is_whole_or_is_none(site: Site, scene: str) -> None:
    prepare, act = SCENES[scene]
    prepare(site)
    blobs = set(tree(site.repository / "blobs").values())
    disk = PowerDisk(site.repository)
    act(site, disk)
    assert site.blob_dir
    blobs |= set(tree(site.blob_dir).values())
    left, restored, ends = site.scratch / "left", site.scratch / "Data.fs", set()
    for state in disk.states:
        write_tree(state, left)
        complete = read_repository(left).complete
        assert complete or scene == "first"
        for backup in complete:
            write_restored(backup, restored, Silent())
            assert set(written_blobs(backup, site.scratch / "blobs").values()) <= blobs
            ends.add(restored.stat().st_size)
            restored.unlink()
        shutil.rmtree(left)
    assert len(disk.states) > 20
    assert site.data_fs.stat().st_size in ends
