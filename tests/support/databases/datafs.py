"""Real Data.fs files with transactions of known ids."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persistent.TimeStamp import TimeStamp
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.utils import p64, z64


@contextmanager
def storage_at(path: Path) -> Iterator[FileStorage]:
    storage = FileStorage(str(path))
    try:
        yield storage
    finally:
        storage.close()


def tid(number: int) -> bytes:
    """The id of a transaction `number` seconds into the year 2026."""
    return bytes(TimeStamp(2026, 1, 1, 0, number // 60, number % 60).raw())


def vote(storage: FileStorage, number: int, data: bytes = b"some data") -> TransactionMetaData:
    """Store one new object, and stop when the transaction is in the file but not committed."""
    transaction = TransactionMetaData("admin", "/edit", {"key": "value"})
    storage.tpc_begin(transaction, tid=tid(number))
    storage.store(p64(number), z64, data, "", transaction)
    storage.tpc_vote(transaction)
    return transaction


def commit(storage: FileStorage, number: int, data: bytes = b"some data") -> int:
    """Commit one new object; return where the transaction ends in the file."""
    storage.tpc_finish(vote(storage, number, data))
    return int(storage.getSize())


def write(path: Path, transactions: int) -> list[int]:
    """Make a Data.fs; return where each of its transactions ends."""
    with storage_at(path) as storage:
        return [commit(storage, number) for number in range(1, transactions + 1)]
