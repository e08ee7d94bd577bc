"""What collective.recipe.backup makes of a blob directory, given with --blobs."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases.packing import blob_dir_of, make_database
from tests.support.databases.repository import repozo
from tests.support.databases.restoring import opened_blobs
from tests.support.programs.exporter import zope_exporter
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.restore.blob_directory import find_blobs

BLOBS = {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    data_fs = tmp_path / "var/Data.fs"
    data_fs.parent.mkdir()
    make_database(data_fs, revisions=1, blobs=4)
    return data_fs


def numbered(backups: Path, blobs: Path) -> Path:
    for number in range(2):
        shutil.copytree(blobs, backups / f"blobstorage.{number}/blobstorage")
    return backups / "blobstorage.0"


def timed(backups: Path, blobs: Path) -> Path:
    made = backups / "blobstorage.2026-11-29-02-30-00"
    shutil.copytree(blobs, made / "blobstorage")
    return made


def latest(backups: Path, blobs: Path) -> Path:
    made = timed(backups, blobs)
    (backups / "latest").symlink_to(made.name)
    return backups / "latest"


def itself(backups: Path, blobs: Path) -> Path:
    return numbered(backups, blobs) / "blobstorage"


@pytest.mark.parametrize("made", [numbered, timed, latest, itself])
def test_the_blobs_are_found_in_it(
    site: Path, tmp_path: Path, made: Callable[[Path, Path], Path]
) -> None:
    repository, new = tmp_path / "backups", tmp_path / "new/Data.fs"
    repository.mkdir()
    new.parent.mkdir()
    backed_up = repozo("-B", "-F", "-z", "-r", repository, "-f", site)
    assert backed_up.returncode == 0, backed_up.stderr
    given = made(tmp_path / "blobstoragebackups", blob_dir_of(site))
    done = zope_exporter(
        "restore", repository, new, "--blobs", given, "--blob-dir", blob_dir_of(new),
        state_dir=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert opened_blobs(new) == BLOBS
    assert ("the blobs are taken from" in done.stderr) == (made is not itself)


def test_an_archive_is_named_as_not_supported(site: Path, tmp_path: Path) -> None:
    backups = tmp_path / "blobstoragebackups"
    backups.mkdir()
    archive = backups / "blobstorage.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(blob_dir_of(site), "blobstorage")
    new = tmp_path / "new.fs"
    refused = zope_exporter(
        "restore", site, new, "--blobs", archive, "--blob-dir", tmp_path / "new-blobs",
        state_dir=tmp_path,
    )  # fmt: skip
    assert refused.returncode == 3
    assert f"{archive} is an archive: blobs in one are not supported" in refused.stderr
    assert not new.exists()
    with pytest.raises(RefusedError, match=r"has blobs in an archive, blobstorage\.0\.tar\.gz"):
        find_blobs(backups)


def test_of_several_one_has_to_be_named(site: Path, tmp_path: Path) -> None:
    backups = tmp_path / "blobstoragebackups"
    numbered(backups, blob_dir_of(site))
    with pytest.raises(RefusedError, match=r"blobstorage\.0, .*blobstorage\.1"):
        find_blobs(backups)
    (tmp_path / "several").mkdir()
    for name in ("a", "b"):
        shutil.copytree(blob_dir_of(site), tmp_path / "several" / name)
    with pytest.raises(RefusedError, match="has several directories of blobs"):
        find_blobs(tmp_path / "several")


def test_what_has_no_blobs_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="begin with 0x"):
        find_blobs(tmp_path)
    with pytest.raises(RefusedError, match="is no directory"):
        find_blobs(tmp_path / "missing")
