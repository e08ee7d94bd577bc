"""A repository of years: a thousand backups, and a database of a hundred thousand blobs."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.support.databases.datafs import write
from tests.support.databases.repository import Site
from tests.support.faults.small_disk import small_disk_at
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.verification_record import Level

CHAINS, CHAIN = 125, 8
BLOBS = 100_000
FIRST = 0x100000  # oid: names of an even number of digits, as ZODB writes them


def years_of_backups(site: Site) -> None:
    """A thousand of one commit each: chains that were made one at a time, put together."""
    whole, repository = site.scratch / "Data.fs", site.repository
    ends = iter(write(whole, CHAINS * CHAIN))
    grown = whole.read_bytes()
    repository.mkdir()
    for number in range(CHAINS):
        site.repository = site.scratch / str(number)
        for end in islice(ends, CHAIN):
            site.data_fs.write_bytes(grown[:end])
            site.back_up()
        for file in site.repository.iterdir():
            if file.is_file():
                file.rename(repository / file.name)
    site.repository, site.commits = repository, CHAINS * CHAIN


def add_blobs(blob_dir: Path, start: int, count: int) -> None:
    """Files as a storage with the layout `lawn` has them, of objects that nobody refers to."""
    for oid in range(start, start + count):
        (blob_dir / f"0x{oid:x}").mkdir()
        (blob_dir / f"0x{oid:x}/0x03f0000000000001.blob").touch()


def names(directory: Path) -> set[str]:
    return {file for _, _, files in os.walk(directory) for file in files}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """In memory: the directories of so many files take a disk minutes to make and to remove."""
    with small_disk_at(tmp_path / "disk", "size=2g,nr_inodes=1m") as place:
        site = Site(place)
        site.blob_dir = site.data_fs.parent / "blobs"
        site.blob_dir.mkdir()
        site.hard_links = True
        years_of_backups(site)
        yield site


def test_a_thousand_backups_and_a_hundred_thousand_blobs(site: Site) -> None:
    assert site.blob_dir
    listed = read_repository(site.repository)
    assert len(listed.complete) == CHAINS * CHAIN
    assert not listed.problems

    add_blobs(site.blob_dir, FIRST, BLOBS)
    site.commit()
    assert site.back_up(keep=2 * CHAINS).blobs == BLOBS
    before = names(site.repository)
    assert site.back_up(keep=2 * CHAINS).kind == "unchanged"
    assert len(names(site.repository) - before) <= 1

    add_blobs(site.blob_dir, FIRST + BLOBS, 3)
    site.commit()
    before = names(site.repository)
    assert site.back_up(keep=2 * CHAINS).blobs == BLOBS + 3
    assert len(names(site.repository) - before) <= 3 + 4
    assert len(read_repository(site.repository).complete) == CHAINS * CHAIN + 2
    verdict = site.verify(Level.CHECKSUMS)
    assert verdict.ok, verdict.failures
