"""The last committed transaction of a Data.fs, found from the end of the file.

A writer appends a transaction with the status `c`, and either makes that a blank later or cuts the
file off again, so any read may meet half a transaction, or one that is gone a moment later.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from .datafile import opened
from .errors import NotAFileStorageError, TornTailError

MAGICS = (b"FS21", b"FS30")
FIRST_TRANSACTION = 4
VOTED = b"c"
STATUSES = (b" ", b"p", b"u", VOTED)

# tid, length, status, lengths of user, description and extension
TRANSACTION_HEADER = Struct(">8sQcHHH")
# oid, tid, previous record, transaction, 0, data length
RECORD_HEADER = Struct(">8s8sQQHQ")
LENGTH = Struct(">Q")


@dataclass(frozen=True)
class Transaction:
    """A whole transaction: its id and its place in the file, `end` being after the last byte."""

    tid: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Tail:
    """The last committed transaction, if any; `torn` if only a part of one follows it."""

    last: Transaction | None
    torn: TornTailError | None = None


def read_tail(path: Path, known: Transaction | None = None) -> Tail:
    """Find the last committed transaction in a handful of reads, whatever the size of the file.

    `known`, an earlier result, is the place to go on from when the end is torn.
    Without it, a torn end is a TornTailError. Raises NotAFileStorageError for another file, and
    what `datafile.opened` raises.
    """
    with opened(path) as descriptor:
        return _Reader(path, descriptor).tail(known)


class _Reader:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def tail(self, known: Transaction | None) -> Tail:
        if os.pread(self._descriptor, FIRST_TRANSACTION, 0) not in MAGICS:
            raise NotAFileStorageError(
                f"{self._path} does not begin with FS21 or FS30: not a FileStorage, or damaged"
            )
        if self._size == FIRST_TRANSACTION:
            return Tail(None)
        try:
            return Tail(self._back_from_end())
        except TornTailError:
            if known is None or not self._still_there(known):
                raise
            return self._forward_from(known)

    def _back_from_end(self) -> Transaction | None:
        last, status = self._ending_at(self._size)
        if status != VOTED:
            return last
        if last.start == FIRST_TRANSACTION:
            return None
        before, status = self._ending_at(last.start)
        if status == VOTED:
            raise self._torn()
        return before

    def _forward_from(self, last: Transaction) -> Tail:
        while last.end < self._size:
            try:
                following, status = self._starting_at(last.end)
            except TornTailError:
                return Tail(last, torn=self._torn())
            if status == VOTED:
                return Tail(last, torn=self._torn())
            last = following
        return Tail(last)

    def _still_there(self, known: Transaction) -> bool:
        try:
            found, _ = self._starting_at(known.start)
        except TornTailError:
            return False
        return found == known

    def _ending_at(self, end: int) -> tuple[Transaction, bytes]:
        length = self._length_at(end - LENGTH.size)
        transaction, status = self._starting_at(end - LENGTH.size - length)
        if transaction.end != end:
            raise self._torn()
        return transaction, status

    def _starting_at(self, start: int) -> tuple[Transaction, bytes]:
        header = self._read(TRANSACTION_HEADER.size, start)
        tid, length, status, *texts = TRANSACTION_HEADER.unpack(header)
        records = start + TRANSACTION_HEADER.size + sum(texts)
        end = start + length + LENGTH.size
        if status not in STATUSES or records > start + length:
            raise self._torn()
        if self._length_at(start + length) != length:
            raise self._torn()
        if records < start + length:
            self._check_record(records, tid, start)
        return Transaction(tid, start, end), status

    def _check_record(self, position: int, tid: bytes, start: int) -> None:
        # Stored data may itself hold a copy of a Data.fs: only true records name their own place.
        record = self._read(RECORD_HEADER.size, position)
        _, record_tid, _, record_start, _, _ = RECORD_HEADER.unpack(record)
        if (record_tid, record_start) != (tid, start):
            raise self._torn()

    def _length_at(self, position: int) -> int:
        (length,) = LENGTH.unpack(self._read(LENGTH.size, position))
        return int(length)

    def _read(self, size: int, position: int) -> bytes:
        if not FIRST_TRANSACTION <= position <= self._size - size:
            raise self._torn()
        read = os.pread(self._descriptor, size, position)
        if len(read) < size:  # an aborted commit was cut off meanwhile
            raise self._torn()
        return read

    def _torn(self) -> TornTailError:
        return TornTailError(
            f"{self._path} does not end with a whole transaction: unless a commit is being written,"
            " it was cut off or damaged. Copy it and check the copy with"
            " `python -m ZODB.scripts.fstest`; when Zope or ZEO starts, it moves a cut-off"
            f" transaction to {self._path.name}.tr0",
            os.fstat(self._descriptor).st_mtime,
        )
