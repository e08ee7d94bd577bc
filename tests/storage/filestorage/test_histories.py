"""Our numbers of real Data.fs files with random histories, against ZODB's own."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import datafs
from tests.support.databases.counting import followed_numbers, scanned, scanned_numbers
from tests.support.databases.history import (
    COMMITS,
    OPERATIONS,
    History,
    Operation,
    freed_by_pack,
    zodb_numbers,
)
from zope_exporter.storage.filestorage.index import read_index


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("histories")


def write(path: Path, operations: list[Operation], compress: bool = False) -> Path:
    """Do the operations, and one commit that makes the next pack worth while."""
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    with datafs.storage_at(path) as storage:
        history = History(storage, compress=compress)
        history.store([(0, 10, [1, 2, 3]), *((oid, 20 * oid, []) for oid in range(1, 10))])
        for operation in operations:
            history.do(operation)
        history.store([(0, 10, [1, 2, 3, 4])])
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(OPERATIONS, max_size=25), compress=st.booleans())
def test_numbers_are_those_of_zodb(
    directory: Path, operations: list[Operation], compress: bool
) -> None:
    path = write(directory / "one/Data.fs", operations, compress)
    expected = zodb_numbers(path)
    index = path.with_name("Data.fs.index")
    assert read_index(index).end == path.stat().st_size
    scan = scanned(path)
    assert scanned_numbers(path) == expected
    index.unlink()
    assert scanned_numbers(path) == expected
    assert scan.contents is not None
    unreachable = scan.contents.unreachable
    plain, collecting = path.with_name("plain.fs"), path.with_name("collecting.fs")
    shutil.copy(path, plain)
    shutil.copy(path, collecting)
    assert freed_by_pack(plain, collect=False) == expected.superseded
    collected = freed_by_pack(collecting, collect=True)
    known = None if unreachable is None else expected.superseded + unreachable
    assert collected == known  # None where a pack ends with an error


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(COMMITS, max_size=25))
def test_following_comes_to_the_same_as_a_scan(
    directory: Path, operations: list[Operation]
) -> None:
    path = write(directory / "one/Data.fs", operations)
    assert followed_numbers(path) == zodb_numbers(path)
    assert followed_numbers(path, window=64) == zodb_numbers(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=st.lists(OPERATIONS, max_size=15), after=st.lists(COMMITS, max_size=15))
def test_following_goes_on_from_a_scan(
    directory: Path, before: list[Operation], after: list[Operation]
) -> None:
    path = write(directory / "one/Data.fs", before)
    totals = scanned(path).full_count.totals()
    with datafs.storage_at(path) as storage:
        history = History(storage, number=100)
        for operation in after:
            history.do(operation)
    assert followed_numbers(path, totals) == zodb_numbers(path)
