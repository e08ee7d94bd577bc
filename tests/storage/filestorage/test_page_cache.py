"""A scan leaves the page cache as it was: what was there before stays, and nothing else does."""

import mmap
import os
from pathlib import Path

import pytest

from tests.support.databases.counting import scanned
from tests.support.databases.history import write_large
from zope_exporter.storage.filestorage import page_cache
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.page_cache import PageCache, resident
from zope_exporter.storage.filestorage.rescan import Rescan

PAGE = mmap.PAGESIZE
WINDOW = 1 << 20


def pages(path: Path) -> bytes:
    with path.open("rb") as file:
        size = path.stat().st_size
        return resident(file.fileno(), 0, size - size % PAGE + PAGE)


@pytest.fixture
def cold(tmp_path: Path) -> Path:
    """A file of which no page is in memory, where the file system can do that."""
    path = tmp_path / "cold"
    with path.open("wb") as file:
        # Nearly all of it a hole, which is read like what is on the disk.
        file.seek(2 * page_cache.STRETCH + 3 * WINDOW + 76)
        file.write(b"x")
    evict(path)
    return path


def evict(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if any(pages(path)):
        pytest.skip("this file system keeps its files in memory")


def read(path: Path, size: int = WINDOW) -> None:
    with path.open("rb") as file, PageCache(file.fileno()) as cache:
        for position in range(0, path.stat().st_size, size):
            cache.reads(position, size)
            os.pread(file.fileno(), size, position)


@pytest.mark.parametrize("size", [WINDOW, 300_000])
def test_what_was_read_once_is_gone_again(cold: Path, size: int) -> None:
    read(cold, size)
    assert sum(pages(cold)) == 0


def test_what_others_read_stays(cold: Path) -> None:
    with cold.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        places = [0, 5, 6, 300, 8900, cold.stat().st_size // PAGE]
        for place in places:
            os.pread(file.fileno(), 1, place * PAGE)
    before = pages(cold)
    assert sum(before) == len(places)
    read(cold)
    assert pages(cold) == before


def test_a_scan_leaves_no_page_behind(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    write_large(path)
    evict(path)
    rescan = Rescan(Followed(path))
    while rescan.step():
        pass
    assert rescan.followed.known.findings is not None
    # The first and last pages are also looked at by those who ask for the last transaction.
    assert sum(pages(path)) < 70
    scanned(path)
    assert sum(pages(path)) > len(pages(path)) - 10


def test_where_it_cannot_be_told_all_stays() -> None:
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    try:
        assert resident(descriptor, 0, 3 * PAGE) == b"\1\1\1"
    finally:
        os.close(descriptor)


def test_a_file_cut_off_meanwhile_does_no_harm(cold: Path) -> None:
    with opened(cold) as descriptor, PageCache(descriptor) as cache:
        cache.reads(0, WINDOW)
        os.pread(descriptor, WINDOW, 0)
        os.truncate(cold, PAGE)
        cache.reads(WINDOW, WINDOW)
        cache.reads(cold.stat().st_size + page_cache.STRETCH * 3, WINDOW)
