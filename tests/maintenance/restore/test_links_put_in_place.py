"""What the owner of a site may put in place while root restores it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases.packing import Remembered
from tests.support.databases.restoring import GoneOn
from zope_exporter.maintenance.jobs.report import ActionError
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.restore import restore


class Meddling(Remembered):
    """Does something once a stage has come so far."""

    def __init__(self, stage: str, meddle: Callable[[], None]) -> None:
        super().__init__()
        self._stage = stage
        self._meddle = meddle
        self._now = False

    def stage(self, name: str, total: int = 0) -> None:
        self._now = name == self._stage
        super().stage(name, total)

    def advance(self, count: int) -> None:
        if self._now:
            self._now = False
            self._meddle()
        super().advance(count)


@pytest.fixture
def site(tmp_path: Path) -> GoneOn:
    (tmp_path / "site").mkdir()
    return GoneOn(tmp_path)


def test_no_blob_is_removed_through_a_link(site: GoneOn, tmp_path: Path) -> None:
    of_backup = {path.name for path in site.backup.parent.rglob("*.blob")}
    [later] = [path for path in site.blob_dir.rglob("*.blob") if path.name not in of_backup]
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / later.name).write_bytes(b"of another site")

    def meddle() -> None:
        later.parent.rename(tmp_path / "elsewhere")
        later.parent.symlink_to(victim)

    place = Place(site.data_fs, site.blob_dir, "1", headroom=0)
    with pytest.raises(ActionError, match="symbolic link"):
        restore(site.source(), place, Meddling("removing blobs of before", meddle))
    assert (victim / later.name).read_bytes() == b"of another site"
