"""The last committed transaction of a Data.fs, found from the end of the file.

A writer appends a transaction with the status `c`, and either makes that a blank later or cuts the
file off again, so any read may meet half a transaction, or one that is gone a moment later.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from .datafile import TornTailError, opened
from .format import (
    COMMITTED,
    FIRST_TRANSACTION,
    LENGTH,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    VOTED,
    Transaction,
)
from .reader import HEADERS_ONLY, DataFile


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
        return tail_of(DataFile(path, descriptor, HEADERS_ONLY), known)


def tail_of(file: DataFile, known: Transaction | None = None) -> Tail:
    """Return what `read_tail` does, of a file that is open; its window is left as it is."""
    return _Reader(file).tail(known)


class _Reader:
    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._size = file.size()

    def tail(self, known: Transaction | None) -> Tail:
        if self._size == FIRST_TRANSACTION:
            return Tail(None)
        try:
            return Tail(self._back_from_end())
        except TornTailError:
            if known is None or not self._still_there(known):
                raise
            return self._forward_from(known)

    def _back_from_end(self) -> Transaction | None:
        last = self._ending_at(self._size)
        if last.status != VOTED:
            return last
        if last.start == FIRST_TRANSACTION:
            return None
        before = self._ending_at(last.start)
        if before.status == VOTED:
            raise self._torn()
        return before

    def _forward_from(self, last: Transaction) -> Tail:
        while last.end < self._size:
            try:
                following = self._starting_at(last.end)
            except TornTailError:
                return Tail(last, torn=self._torn())
            if following.status == VOTED:
                return Tail(last, torn=self._torn())
            last = following
        return Tail(last)

    def _still_there(self, known: Transaction) -> bool:
        try:
            found = self._starting_at(known.start)
        except TornTailError:
            return False
        return (found.tid, found.end) == (known.tid, known.end)

    def _ending_at(self, end: int) -> Transaction:
        found = self._starting_at(end - LENGTH.size - self._length_at(end - LENGTH.size))
        if found.end != end:
            raise self._torn()
        return found

    def _starting_at(self, start: int) -> Transaction:
        found = Transaction.unpack(self._read(TRANSACTION_HEADER.size, start), start)
        second_length = found.end - LENGTH.size
        if found.status not in (*COMMITTED, VOTED) or found.records > second_length:
            raise self._torn()
        if self._length_at(second_length) != found.length:
            raise self._torn()
        if found.records < second_length:
            self._check_record(found)
        return found

    def _check_record(self, found: Transaction) -> None:
        # Stored data may itself hold a copy of a Data.fs: only true records name their own place.
        record = self._read(RECORD_HEADER.size, found.records)
        _, tid, _, start, _, _ = RECORD_HEADER.unpack(record)
        if (tid, start) != (found.tid, found.start):
            raise self._torn()

    def _length_at(self, position: int) -> int:
        (length,) = LENGTH.unpack(self._read(LENGTH.size, position))
        return int(length)

    def _read(self, size: int, position: int) -> bytes:
        if not FIRST_TRANSACTION <= position <= self._size - size:
            raise self._torn()
        read = os.pread(self._file.descriptor, size, position)
        if len(read) < size:  # an aborted commit was cut off meanwhile
            raise self._torn()
        return read

    def _torn(self) -> TornTailError:
        path = self._file.path
        return TornTailError(
            f"{path} does not end with a whole transaction: unless a commit is being written,"
            " it was cut off or damaged. Copy it and check the copy with"
            " `python -m ZODB.scripts.fstest`; when Zope or ZEO starts, it moves a cut-off"
            f" transaction to {path.name}.tr0",
            os.fstat(self._file.descriptor).st_mtime,
        )
