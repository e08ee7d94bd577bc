"""Killed, or out of room, at every operation on the disk; afterwards nothing lies."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ZODB.scripts import repozo

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Site, tree, written_blobs
from tests.support.faults.disk import FaultyDisk, broken, full, killed, strays
from zope_exporter.maintenance.backup.disk import Disk
from zope_exporter.maintenance.backup.pieces import write_restored
from zope_exporter.maintenance.backup.repository import Backup, read_repository
from zope_exporter.maintenance.jobs.report import ActionError, Silent


def first(site: Site) -> None:
    """Nothing is backed up yet."""


def second(site: Site) -> None:
    site.back_up()
    site.commit(2)


def third(site: Site) -> None:
    second(site)
    site.back_up()
    site.commit(2)


def compressed(site: Site) -> None:
    site.back_up(gzip=True)
    site.commit(2)


def repeated(site: Site) -> None:
    """A second full backup, after which the first one, with its incremental, is removed."""
    third(site)
    site.back_up()
    site.verify()
    site.commit()


def quiet(site: Site) -> None:
    site.back_up()


def with_blobs(site: Site) -> None:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 1)


def with_more_blobs(site: Site) -> None:
    with_blobs(site)
    site.back_up()
    site.verify()
    site.more()


SCENES: dict[str, tuple[Callable[[Site], object], Callable[[Site, Disk], object]]] = {
    "full": (first, lambda site, disk: site.back_up(disk=disk)),
    "incremental": (second, lambda site, disk: site.back_up(disk=disk)),
    "third": (third, lambda site, disk: site.back_up(disk=disk)),
    "gzip": (compressed, lambda site, disk: site.back_up(gzip=True, disk=disk)),
    "pruning": (repeated, lambda site, disk: site.back_up(full=True, keep=1, disk=disk)),
    "unchanged": (quiet, lambda site, disk: site.back_up(disk=disk)),
    "blobs": (with_blobs, lambda site, disk: site.back_up(disk=disk)),
    "pruning blobs": (
        with_more_blobs,
        lambda site, disk: site.back_up(full=True, keep=1, disk=disk),
    ),
    "verifying": (second, lambda site, disk: site.verify(disk=disk)),
}


class Outcome:
    """A site before something is done to it, which can be had again and again."""

    def __init__(self, site: Site, name: str) -> None:
        prepare, self._act = SCENES[name]
        prepare(site)
        self.site = site
        self.states = {b""} | {
            site.bytes[: backup.pieces[-1].end]
            for backup in read_repository(site.repository).backups
        }
        self.states.add(site.bytes)
        self._now = site.now
        self._kept = site.scratch / "kept"
        if site.repository.exists():
            shutil.copytree(site.repository, self._kept)

    def again(self) -> None:
        shutil.rmtree(self.site.repository, ignore_errors=True)
        if self._kept.exists():
            shutil.copytree(self._kept, self.site.repository)
        self.site.now = self._now

    def act(self, disk: Disk) -> object:
        return self._act(self.site, disk)

    def operations(self) -> int:
        counting = FaultyDisk()
        self.act(counting)
        return counting.count


@pytest.fixture(params=sorted(SCENES))
def scene(request: pytest.FixtureRequest, site: Site) -> Outcome:
    return Outcome(site, request.param)


def restored_by_repozo(repository: Path, target: Path, *arguments: str) -> bytes:
    target.unlink(missing_ok=True)
    if not [path for path in repository.iterdir() if ".fs" in path.name]:
        return b""
    run("-R", "-r", str(repository), "-o", str(target), *arguments)
    return target.read_bytes()


def run(*arguments: str) -> None:
    """Run repozo in this process, of which there are hundreds; it exits if it fails."""
    repozo.main(list(arguments))


def check(scene: Outcome) -> None:
    """Look at what is left, with our eyes and repozo's, then go on with each."""
    site, target = scene.site, scene.site.scratch / "Data.fs"
    assert restored_by_repozo(site.repository, target) in scene.states
    listed = read_repository(site.repository)
    for backup in listed.complete:
        target.unlink(missing_ok=True)
        write_restored(backup, target, Silent())
        assert target.read_bytes() in scene.states
        check_blobs(site, backup)
    check_repozo_goes_on(scene)
    site.back_up()
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    assert restored_by_repozo(site.repository, target, "-w") == site.bytes
    assert not [path for path in site.repository.iterdir() if path.suffix == ".tmp"]


def check_blobs(site: Site, backup: Backup) -> None:
    """The blobs of a backup are those of its transactions, as they are in the database."""
    if site.blob_dir is None:
        return
    covered = f"0x{backup.covered_tid or 0:016x}.blob"
    assert written_blobs(backup, site.scratch / "blobs") == {
        path: found
        for path, found in tree(site.blob_dir).items()
        if path.endswith(".blob") and Path(path).name <= covered
    }


def check_repozo_goes_on(scene: Outcome) -> None:
    """R5: an interrupted backup, then repozo, gave what verifies but cannot be opened."""
    copy = scene.site.scratch / "copy"
    for quick in (["-Q"], []):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(scene.site.repository, copy)
        run("-B", *quick, "-r", str(copy), "-f", str(scene.site.data_fs))
        assert restored_by_repozo(copy, scene.site.scratch / "theirs") == scene.site.bytes


def test_promise_1_a_backup_is_listed_only_when_complete(scene: Outcome) -> None:
    """Promise 1, with a process killed at each operation."""
    at = 0
    while True:
        scene.again()
        if not killed(scene.act, at):
            break
        scene.site.repository.mkdir(exist_ok=True)
        check(scene)
        at += 1
    assert at > 3


@pytest.mark.parametrize(
    ("fault", "lasting"), [(full, True), (broken, False)], ids=["ENOSPC-for-long", "EIO-once"]
)
def test_promise_4_a_full_or_broken_disk_never_leaves_a_lie(
    scene: Outcome, fault: Callable[[], None], lasting: bool
) -> None:
    """Promise 4: whatever operation fails, the backup fails, and the next one is right."""
    scene.again()
    for at in range(scene.operations()):
        scene.again()
        try:
            scene.act(FaultyDisk(at, fault, lasting))
        except ActionError:
            pass
        else:  # nothing but the removal of what is temporary may fail
            assert scene.site.verify().ok
        scene.site.repository.mkdir(exist_ok=True)
        check(scene)


def test_nothing_is_changed_but_by_the_disk_that_can_fail(scene: Outcome) -> None:
    """Else the tests above would not have tried it."""
    scene.again()
    assert strays(scene.act, scene.site.repository) == ""


def test_what_goes_past_the_disk_is_seen(tmp_path: Path) -> None:
    found = strays(lambda _: (tmp_path / "file").write_bytes(b""), tmp_path)
    assert found.startswith("open ")
