"""A pack that died between its two renames."""

import itertools
import shutil
import time
from pathlib import Path

import pytest
import ZODB
from ZODB.FileStorage import FileStorage

from tests.support.databases.packing import Remembered, blob_dir_of, items, make_database
from tests.support.faults.killing import dies_at
from tests.support.faults.system_calls import without_links
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Silent
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.rescue import explain, rescue
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource


@pytest.fixture
def died(tmp_path: Path) -> Path:
    """The missing Data.fs of a pack by ZODB that died as facts 2.4, P2."""
    data_fs = tmp_path / "site/Data.fs"
    data_fs.parent.mkdir()
    make_database(data_fs, revisions=3, blobs=4)
    whole = tmp_path / "whole"
    shutil.copytree(data_fs.parent, whole)
    database = ZODB.DB(FileStorage(str(whole / "Data.fs"), blob_dir=str(whole / "blobs")))
    database.pack(time.time() + 1)
    database.close()
    data_fs.rename(data_fs.with_name("Data.fs.old"))
    shutil.copy(whole / "Data.fs", data_fs.with_name("Data.fs.pack"))
    return data_fs


def test_promise_8_the_whole_file_is_named_with_the_command_and_the_danger(died: Path) -> None:
    found = explain(died, Silent())
    assert found
    assert found.best == died.with_name("Data.fs.pack")
    assert f"mv {died}.pack {died}" in found.text
    assert "Do not start Zope or ZEO" in found.text


def test_promise_8_the_rescue_has_all_objects_and_blobs(died: Path) -> None:
    rescue(died, Silent())
    storage = FileStorage(str(died), blob_dir=str(blob_dir_of(died)))  # as a Zope that starts
    storage.close()
    assert set(items(died)) == {"item", "blob-1", "blob-3"}
    assert died.with_name("Data.fs.old").exists()
    assert not died.with_name("Data.fs.pack").exists()


def test_a_rescue_needs_no_hard_links(died: Path) -> None:
    run = without_links(require(tool, "strace"), lambda: rescue(died, Silent()))
    assert run.error is None, run
    assert set(items(died)) == {"item", "blob-1", "blob-3"}
    assert not died.with_name("Data.fs.pack").exists()


def test_a_rescue_that_fails_without_hard_links_leaves_no_empty_data_fs(died: Path) -> None:
    renames = "rename", "renameat", "renameat2"
    run = without_links(require(tool, "strace"), lambda: rescue(died, Silent()), *renames)
    assert run.error is not None
    assert f"{died} is not there yet" in run.error
    assert not died.exists()
    rescue(died, Silent())
    assert set(items(died)) == {"item", "blob-1", "blob-3"}


def test_a_pack_file_that_is_not_whole_is_not_taken(died: Path) -> None:
    pack = died.with_name("Data.fs.pack")
    pack.write_bytes(pack.read_bytes()[:-10])
    found = explain(died, Silent())
    assert found
    assert found.best == died.with_name("Data.fs.old")
    rescue(died, Silent())
    assert set(items(died)) == {"item", "blob-1", "blob-3"}


def test_a_pack_file_that_ends_too_early_is_not_taken(died: Path) -> None:
    pack = died.with_name("Data.fs.pack")
    pack.write_bytes(pack.read_bytes()[:4])  # whole, and empty
    found = explain(died, Silent())
    assert found
    assert found.best == died.with_name("Data.fs.old")


def test_where_nothing_is_whole_nothing_is_touched(died: Path) -> None:
    for suffix in (".pack", ".old"):
        path = died.with_name(died.name + suffix)
        path.write_bytes(path.read_bytes()[:-10])
    before = sorted(died.parent.iterdir())
    with pytest.raises(ActionError, match="no complete file could be read"):
        rescue(died, Silent())
    assert sorted(died.parent.iterdir()) == before


def test_a_data_fs_that_is_there_needs_no_rescue(died: Path) -> None:
    died.write_bytes(b"FS21")
    assert explain(died, Silent()) is None
    with pytest.raises(RefusedError):
        rescue(died, Silent())


def test_a_restore_explains_the_rescue_instead(died: Path, tmp_path: Path) -> None:
    source = FileSource(tmp_path / "whole/Data.fs", tmp_path / "whole/blobs")
    with pytest.raises(RefusedError) as refused:
        restore(source, Place(died, blob_dir_of(died), "1", 0), Remembered())
    assert refused.value.code == "rescue"
    assert "Nothing is lost" in refused.value.reason


def test_killed_at_any_file_operation_a_whole_file_is_left(died: Path, tmp_path: Path) -> None:
    original = tmp_path / "original"
    shutil.copytree(died.parent, original)
    for number in itertools.count():
        shutil.rmtree(died.parent)
        shutil.copytree(original, died.parent)
        killed = dies_at(number, died.parent, lambda: rescue(died, Silent()))
        if not died.exists():
            rescue(died, Silent())
        assert set(items(died)) == {"item", "blob-1", "blob-3"}
        if not killed:
            break
    assert number > 5
