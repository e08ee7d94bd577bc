import itertools
import os
import socket
import time
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs, pack
from zope_exporter.storage.blobs.directory import (
    DEEPEST,
    BlobError,
    BlobUsage,
    StoppedError,
    measure,
)

DAY = 24 * 3600.0


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture(params=["bushy", "lawn"])
def blob_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    directory = tmp_path / "blobs"
    directory.mkdir()
    (directory / ".layout").write_text(request.param)
    return directory


def look(blob_dir: Path, data_fs: Path, later: float = 0) -> BlobUsage:
    return measure(blob_dir, data_fs, clock=lambda: time.time() + later)


def test_committed_blobs_are_counted_in_both_layouts(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 20)
    assert look(blob_dir, data_fs) == BlobUsage(20, sum(range(1000, 1020)), 0, 0, 0)


def test_a_pack_that_succeeds_leaves_what_it_removed_in_old(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 20)
    pack(data_fs, blob_dir, forget=8)
    found = look(blob_dir, data_fs, later=2 * DAY)
    assert found == BlobUsage(12, sum(range(1008, 1020)), sum(range(1000, 1008)), 0, 0)


def test_blobs_left_by_a_pack_that_died_removing_them(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 20)
    pack(data_fs, blob_dir, forget=8, moves=3)
    running, died = look(blob_dir, data_fs), look(blob_dir, data_fs, later=2 * 3600)
    removed = sum(range(1000, 1008)) - running.old_size
    assert running.files == 17
    assert running.undeleted == 0, "it may still be at it"
    assert died.undeleted == removed > 5000
    pack(data_fs, blob_dir, forget=8)
    assert look(blob_dir, data_fs, later=2 * 3600) == BlobUsage(17, running.size, 0, 0, 0)


def test_a_pack_that_died_before_it_replaced_the_data_fs_left_nothing(
    data_fs: Path, blob_dir: Path
) -> None:
    make_blobs(data_fs, blob_dir, 3)
    oid = next(path.parent for path in blob_dir.rglob("*.blob")).relative_to(blob_dir)
    digits = "".join(part.removeprefix("0x") for part in oid.parts)
    (blob_dir / ".removed").write_text(f"{digits}\n")
    assert look(blob_dir, data_fs, later=DAY).undeleted == 0
    data_fs.with_name("Data.fs.old").touch()
    assert look(blob_dir, data_fs, later=DAY).undeleted in (1000, 1001, 1002)
    data_fs.with_name("Data.fs.pack").touch()
    assert look(blob_dir, data_fs, later=DAY).undeleted == 0


@pytest.mark.parametrize("line", ["", "zz", "00", "0" * 15, "0" * 24, "0" * 200, "\0", "f" * 32])
def test_lines_a_dying_pack_did_not_finish_count_nothing(
    data_fs: Path, blob_dir: Path, line: str
) -> None:
    make_blobs(data_fs, blob_dir, 1)
    data_fs.with_name("Data.fs.old").touch()
    [oid] = [path.parent for path in blob_dir.rglob("*.blob")]
    digits = "".join(part.removeprefix("0x") for part in oid.relative_to(blob_dir).parts)
    (blob_dir / ".removed").write_text(f"{digits}\n{line}")
    assert look(blob_dir, data_fs, later=DAY).undeleted == 1000


def test_files_of_dead_commits_count_after_a_day(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 1)
    (blob_dir / "tmp/BUCx.tmp").write_bytes(bytes(500))
    (blob_dir / "tmp/savepoints").mkdir()
    (blob_dir / "tmp/savepoints/y").write_bytes(bytes(70))
    (blob_dir / "put here by hand").write_bytes(bytes(9))
    assert look(blob_dir, data_fs).abandoned == 0
    assert look(blob_dir, data_fs, later=DAY + 60).abandoned == 570


def test_nothing_but_files_of_the_directory_itself_counts(data_fs: Path, blob_dir: Path) -> None:
    elsewhere = data_fs.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "0x01.blob").write_bytes(bytes(10))
    (blob_dir / "0x00").symlink_to(elsewhere)
    (blob_dir / "0x02.blob").symlink_to(elsewhere / "0x01.blob")
    os.mkfifo(blob_dir / "0x03.blob")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(blob_dir / "0x04.blob"))
    assert look(blob_dir, data_fs) == BlobUsage(0, 0, 0, 0, 0)


@pytest.mark.parametrize("name", [".removed", ".layout"])
def test_notes_that_are_no_files_are_named_without_waiting(
    data_fs: Path, blob_dir: Path, name: str
) -> None:
    make_blobs(data_fs, blob_dir, 1)
    data_fs.with_name("Data.fs.old").touch()
    (blob_dir / ".removed").write_text("")
    (blob_dir / name).unlink(missing_ok=True)
    os.mkfifo(blob_dir / name)
    with pytest.raises(BlobError, match=rf"{name} cannot be read: a FIFO, not a regular file"):
        look(blob_dir, data_fs, later=DAY)


def test_a_list_of_removed_blobs_without_end_can_be_left(data_fs: Path, blob_dir: Path) -> None:
    data_fs.with_name("Data.fs.old").touch()
    with (blob_dir / ".removed").open("wb") as file:
        file.truncate(200 << 30)
    steps = itertools.count()

    def seen() -> None:
        if next(steps) > 1000:
            raise StoppedError

    with pytest.raises(StoppedError):
        measure(blob_dir, data_fs, seen, lambda: time.time() + DAY)


def test_a_link_to_the_blob_directory_is_as_good(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 2)
    link = blob_dir.with_name("link")
    link.symlink_to(blob_dir)
    assert look(link, data_fs).files == 2


def test_what_a_pack_removes_during_the_walk_is_no_error(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 10)

    def remove_another() -> None:
        for path in list(blob_dir.rglob("*.blob"))[-1:]:
            path.unlink()
            path.parent.rmdir()

    assert 0 < measure(blob_dir, data_fs, remove_another).files < 10


def test_a_directory_that_is_none_of_zodbs_is_named(data_fs: Path, blob_dir: Path) -> None:
    deep = blob_dir.joinpath(*["x"] * DEEPEST)
    deep.mkdir(parents=True)
    with pytest.raises(BlobError, match="deeper than any blob directory: correct blob-dir"):
        look(blob_dir, data_fs)


def test_a_missing_directory_is_named(data_fs: Path) -> None:
    with pytest.raises(BlobError, match="nowhere cannot be read: No such file or directory; is"):
        look(data_fs.with_name("nowhere"), data_fs)


def test_a_walk_can_be_ended(data_fs: Path, blob_dir: Path) -> None:
    make_blobs(data_fs, blob_dir, 2)

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        measure(blob_dir, data_fs, stop)
