"""Where the committed transactions end, in a file that is written to between two looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ZODB.FileStorage import FileStorage

from tests.support.databases.datafs import commit, storage_at, vote, write
from zope_exporter.maintenance.backup.stream_check import find_end
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.reader import DamagedError, DataFile

TRANSACTIONS = 3
SIZES_SEEN = 6  # more often than a look asks for the size


class Watched(DataFile):
    """Lets something happen right before its size is told."""

    def __init__(self, path: Path, descriptor: int, happens: Callable[[int], object]) -> None:
        super().__init__(path, descriptor)
        self._happens = happens
        self._seen = 0

    def size(self) -> int:
        self._seen += 1
        self._happens(self._seen)
        return super().size()


@contextmanager
def watched(path: Path, happens: Callable[[int], object]) -> Iterator[DataFile]:
    with opened(path) as descriptor:
        yield Watched(path, descriptor, happens)


@pytest.fixture
def data_fs(tmp_path: Path) -> Path:
    path = tmp_path / "Data.fs"
    write(path, TRANSACTIONS)
    return path


@pytest.fixture
def storage(data_fs: Path) -> Iterator[FileStorage]:
    with storage_at(data_fs) as storage:
        yield storage


@pytest.mark.parametrize("at", range(1, SIZES_SEEN))
def test_a_commit_that_ends_between_two_looks_is_seen_by_the_next(
    data_fs: Path, storage: FileStorage, at: int
) -> None:
    """The window of the first look still had the transaction as voted, and was never read again."""
    before = data_fs.stat().st_size
    transaction = vote(storage, TRANSACTIONS + 1)
    ended = False

    def finish(number: int) -> None:
        nonlocal ended
        if number == at:
            storage.tpc_finish(transaction)
            ended = True

    with watched(data_fs, finish) as file:
        end = find_end(file, 0, 0)
    assert end in (before, data_fs.stat().st_size)
    if not ended:
        assert end == before
        storage.tpc_abort(transaction)


def test_a_writer_that_commits_at_every_look_is_not_waited_for(
    data_fs: Path, storage: FileStorage
) -> None:
    before = data_fs.stat().st_size
    with watched(data_fs, lambda number: commit(storage, TRANSACTIONS + number)) as file:
        end = find_end(file, 0, 0)
    assert before <= end <= data_fs.stat().st_size
    with opened(data_fs) as descriptor:
        ends = [each.end for each in DataFile(data_fs, descriptor).transactions(4, 0)]
    assert end in ends


@pytest.mark.parametrize("at", range(1, SIZES_SEEN))
def test_a_commit_that_is_taken_back_between_two_looks_is_left_out(
    data_fs: Path, storage: FileStorage, at: int
) -> None:
    before = data_fs.stat().st_size
    transaction = vote(storage, TRANSACTIONS + 1)
    aborted = False

    def abort(number: int) -> None:
        nonlocal aborted
        if number == at:
            storage.tpc_abort(transaction)
            aborted = True

    with watched(data_fs, abort) as file:
        assert find_end(file, 0, 0) == before
    if not aborted:
        storage.tpc_abort(transaction)


class Restless(DataFile):
    """Whatever is found damaged is other damage by the time it is looked at again."""

    damages = 0

    def damaged(self, position: int, what: str) -> DamagedError:
        self.damages += 1
        with self.path.open("r+b") as file:
            file.seek(position)
            file.write(b"\x7f" * 16 + bytes([self.damages % 32]))
        return super().damaged(position, what)


def test_a_file_that_is_never_the_same_twice_fails_by_name(data_fs: Path) -> None:
    end = data_fs.stat().st_size
    with data_fs.open("ab") as file:
        file.write(b"\x7f" * 100)
    with opened(data_fs) as descriptor:
        restless = Restless(data_fs, descriptor)
        with pytest.raises(FileStorageError, match=f"{data_fs}.*byte {end}"):
            find_end(restless, 0, 0)
    assert data_fs.stat().st_size == end + 100
