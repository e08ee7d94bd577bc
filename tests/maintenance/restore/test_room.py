"""Room for what a restore writes, looked at before; and a disk that fills up all the same."""

import os
from pathlib import Path

import pytest

from tests.support.databases.packing import Remembered, blob_dir_of, digest
from tests.support.databases.restoring import GoneOn
from tests.support.faults.small_disk import small_disk_at
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Silent
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.restore import restore


def fill(path: Path) -> None:
    """Take all the room there is."""
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 12)):
                pass
    except OSError:
        return


def test_no_room_for_the_blobs_is_a_refusal_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with small_disk_at(tmp_path / "site/blobs") as disk:
        site = GoneOn(tmp_path)
        blob = next(blob_dir_of(site.backup).rglob("*.blob"))
        blob.write_bytes(os.urandom(6 << 20))
        before = {str(path) for path in disk.rglob("*")}
        with pytest.raises(RefusedError, match="are free on the file system of") as refused:
            site.restore()
        assert refused.value.code == "room"
        assert {str(path) for path in disk.rglob("*")} == before
        assert not list(site.data_fs.parent.glob("*restor*"))


def test_no_inodes_for_the_blobs_is_a_refusal_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = GoneOn(tmp_path)
    (tmp_path / "new").mkdir()
    with small_disk_at(tmp_path / "new/blobs", "size=5m,nr_inodes=8") as blob_dir:
        place = Place(tmp_path / "new/Data.fs", blob_dir, "1", headroom=0)
        with pytest.raises(RefusedError, match="inodes") as refused:
            restore(site.source(), place, Silent())
        assert refused.value.code == "room"
        assert not list(blob_dir.iterdir())


def test_a_disk_that_fills_up_meanwhile_is_as_full_as_before_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with small_disk_at(tmp_path / "site/blobs") as disk:
        site = GoneOn(tmp_path)
        packed = [path for path in disk.rglob("*.blob") if path.stat().st_nlink == 1]
        for path in packed:
            path.unlink()
        names = {str(path) for path in disk.rglob("*")}

        class Filling(Remembered):
            """Somebody else takes all of the room when the blobs are to be copied."""

            def stage(self, name: str, total: int = 0) -> None:
                if name == "copying blobs":
                    fill(disk / "filler")
                super().stage(name, total)

        place = Place(site.data_fs, disk, "1", headroom=0)
        with pytest.raises(ActionError, match="is the one of before, untouched") as failed:
            restore(site.source(), place, Filling())
        assert "No space left" in failed.value.reason
        (disk / "filler").unlink()
        assert {str(path) for path in disk.rglob("*")} == names
        assert digest(site.data_fs) == digest(site.original / "Data.fs")
