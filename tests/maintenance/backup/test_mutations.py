"""Promise 2: what is verified can be restored, whatever happened to the files."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Site, written_blobs
from zope_exporter.maintenance.backup.pieces import write_restored
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.report import Silent

# How a backup was verified, and that it covers all, is known only until it is lost.
MAY_BE_MISSING = (".verified", ".current")
SAMPLES = 8


def flips(data: bytes) -> Iterator[bytes]:
    step = max(len(data) // SAMPLES, 1)
    for place in [*range(0, len(data), step), len(data) - 1]:
        yield data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def cuts(data: bytes) -> Iterator[bytes]:
    for length in (0, 1, len(data) // 2, len(data) - 1):
        yield data[:length]
    yield data + b"\0"
    yield data + data
    yield bytes(len(data))


@pytest.fixture(scope="module", params=["plain", "gzip", "blobs"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two generations, of which the newest is a full and an incremental backup."""
    directory = tmp_path_factory.mktemp(request.param)
    site = Site(directory)
    if request.param == "blobs":
        site.data_fs.unlink()
        site.blob_dir = site.data_fs.parent / "blobs"
        make_blobs(site.data_fs, site.blob_dir, 2)
    gzip = request.param == "gzip"
    for full in (True, True, False):
        site.back_up(full=full, gzip=gzip)
        site.verify()
        site.more()
    site.back_up(gzip=gzip)
    site.back_up(gzip=gzip)
    assert site.verify().ok
    return site


@pytest.fixture
def copy(made: Site, tmp_path: Path) -> Site:
    """The same repository, to be damaged."""
    site = made.with_repository(tmp_path / "copy")
    shutil.copytree(made.repository, site.repository)
    return site


class Files:
    """All files of a repository as they were."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self.good = self._now()

    def _now(self) -> dict[Path, bytes]:
        paths = sorted(path for path in self._repository.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in paths}

    def put(self, path: Path, data: bytes) -> None:
        path.unlink(missing_ok=True)  # it may be a hard link
        path.write_bytes(data)

    def reset(self) -> None:
        now = self._now()
        for path in now.keys() - self.good.keys():
            path.unlink()
        for path, data in self.good.items():
            if now.get(path) != data:
                self.put(path, data)


def accepted_are_right(site: Site, scratch: Path) -> None:
    """Whatever is said to be good restores to the bytes that were backed up."""
    for backup in read_repository(site.repository).backups:
        if backup.proven:
            target = scratch / f"{backup.stamp}.fs"
            write_restored(backup, target, Silent())
            assert site.bytes.startswith(target.read_bytes())
            target.unlink()
            written_blobs(backup, scratch / "blobs")


@pytest.mark.parametrize("kind", [flips, cuts])
def test_promise_2_no_changed_file_is_accepted(
    copy: Site, tmp_path: Path, kind: Callable[[bytes], Iterator[bytes]]
) -> None:
    files = Files(copy.repository)
    for number, (path, good) in enumerate(files.good.items()):
        # Blobs are many files of few kinds.
        for bad in [*kind(good)][number % 4 :: 4 if copy.blob_dir else 1]:
            if bad != good:
                files.put(path, bad)
                assert not copy.verify(Level.CHECKSUMS).ok, path
                accepted_are_right(copy, tmp_path)
                files.reset()


def test_promise_2_no_missing_file_is_accepted(copy: Site, tmp_path: Path) -> None:
    files = Files(copy.repository)
    for path in files.good:
        path.unlink()
        assert path.name.endswith(MAY_BE_MISSING) or not copy.verify().ok, path
        accepted_are_right(copy, tmp_path)
        files.reset()


def test_promise_2_no_two_files_can_change_places(copy: Site, tmp_path: Path) -> None:
    files = Files(copy.repository)
    found = list(files.good.items())
    for (one, first), (other, second) in zip(found, found[1:] + found[:1], strict=True):
        if first != second:
            files.put(one, second)
            files.put(other, first)
            assert not copy.verify(Level.CHECKSUMS).ok, (one, other)
            accepted_are_right(copy, tmp_path)
            files.reset()
