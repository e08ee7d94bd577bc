"""Transactions and data records of a Data.fs, each checked as it is read; no data is interpreted.

Reading is by pread only: a mapped file that is cut off kills whoever touches the missing part.
"""

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from .datafile import FileStorageError, NotAFileStorageError
from .format import (
    COMMITTED,
    FIRST_TRANSACTION,
    LARGEST_FILE,
    LENGTH,
    LENGTHS_OFFSET,
    MAGICS,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    TRANSACTION_OFFSET,
    UNDONE,
    VOTED,
    Transaction,
)

if TYPE_CHECKING:
    from .page_cache import PageCache

WINDOW = 1 << 20
HEADERS_ONLY = 256
LONGEST_CHAIN = 10_000

# oid, position, previous record, data length (0: as the back pointer says) and back pointer;
# to make millions of named tuples takes longer than to read them.
Record = tuple[int, int, int, int, int]


class DamagedError(FileStorageError):
    """The file contradicts itself at a place that no commit in progress explains."""


class DataFile:
    """A Data.fs open for reading.

    What is read forwards comes out of a window of `window` bytes, the only memory that it takes.
    What a window holds is as old as its last reading, while others write to the file. With a
    `cache`, what is read forwards does not stay in memory for that.
    """

    def __init__(
        self, path: Path, descriptor: int, window: int = WINDOW, cache: "PageCache | None" = None
    ) -> None:
        self.path = path
        self.cache = cache
        self.descriptor = descriptor
        self.window = bytearray(window)
        self.base = 0
        self.filled = 0
        if os.pread(descriptor, FIRST_TRANSACTION, 0) not in MAGICS:
            raise NotAFileStorageError(
                f"{path} does not begin with FS21 or FS30. If it is the Data.fs, its beginning is"
                " damaged: stop what writes to it, copy it, and run zope-exporter recover on the"
                " copy, or restore a backup. If not, correct the path in zope.conf or zeo.conf"
            )

    def with_window(self, window: int) -> "DataFile":
        """Return a second reader of the same open file."""
        return DataFile(self.path, self.descriptor, window, self.cache)

    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def load(self, position: int) -> None:
        """Read the window again, from `position` on."""
        self.reads(position, len(self.window))
        self.base = position
        self.filled = os.preadv(self.descriptor, [self.window], position)

    def reads(self, position: int, size: int) -> None:
        """Let the cache know that so much is going to be read there, and nothing before it."""
        if self.cache is not None:
            self.cache.reads(position, size)

    def read(self, size: int, position: int) -> bytes:
        """Return that many bytes; DamagedError if the file ends before."""
        if 0 <= position < LARGEST_FILE:
            found = os.pread(self.descriptor, size, position)
            if len(found) == size:
                return found
        raise self.damaged(position, "the file ends here")

    def transactions(self, position: int, tid: int) -> Iterator[Transaction]:
        """Give each committed transaction from `position` on, the one before having `tid`.

        It ends where a commit is in progress, or where the file was cut off. The window is read
        anew: what it holds from before may since have been committed, or cut off and written over.
        """
        size = self.size()
        self.filled = 0
        while position + TRANSACTION_HEADER.size <= size:
            self._hold(position, TRANSACTION_HEADER.size)
            found = self._transaction(position, size)
            if found is None:
                return
            if found.tid <= tid:
                raise self.damaged(position, "its id is not above that of the transaction before")
            yield found
            tid, position = found.tid, found.end

    def transaction(self, position: int) -> Transaction:
        """Return the committed transaction that starts there, whatever the window holds."""
        return Transaction.unpack(self.read(TRANSACTION_HEADER.size, position), position)

    def count_after(self, last: Transaction, tid: int) -> int:
        """Count the transactions later than `tid`, of which `last` is the last committed one."""
        later = takewhile(lambda each: each.tid > tid, self.backwards(last))
        return sum(transaction.status != UNDONE for transaction in later)

    def backwards(self, last: Transaction) -> Iterator[Transaction]:
        """Give the transactions from `last` back to the first, of each its header alone."""
        position, size = last.start, LENGTH.size + TRANSACTION_HEADER.size
        while position != FIRST_TRANSACTION:
            # The header, and the length of the transaction before.
            start = position - LENGTH.size
            if not self.base <= start <= self.base + self.filled - size:
                self.load(max(0, start + size - len(self.window)))
            found = self.held(size, start)
            yield Transaction.unpack(found, position, LENGTH.size)
            (length,) = LENGTH.unpack_from(found)
            position = start - length
            if position < FIRST_TRANSACTION:
                raise self.damaged(start, "the transaction before has a wrong length")
        yield self.transaction(position)

    def held(self, size: int, position: int) -> bytes:
        """Return that many bytes, as `read` does, out of the window if they are in it."""
        start = position - self.base
        if start >= 0 and start + size <= self.filled:
            return bytes(self.window[start : start + size])
        return self.read(size, position)

    def noted(self, transaction: Transaction) -> bytes:
        """Return what follows in its header: three lengths, user, description and extension."""
        _, _, start, records, _ = transaction
        start += LENGTHS_OFFSET
        return self.held(records - start, start)

    def records(self, transaction: Transaction) -> Iterator[Record]:
        """Give each record of a transaction in the order of the file."""
        own_tid, _, own_start, position, end = transaction
        end -= LENGTH.size
        window, unpack, header_size = self.window, RECORD.unpack_from, RECORD_HEADER.size
        base, last = self.base, self.base + self.filled - RECORD.size
        while position < end:
            if not base <= position <= last:
                self._hold(position, RECORD.size)
                base, last = self.base, self.base + self.filled - RECORD.size
            oid, tid, previous, start, version, length, back = unpack(window, position - base)
            if length:
                back, following = 0, position + header_size + length
            else:
                following = position + RECORD.size
            if (
                tid != own_tid
                or start != own_start
                or version
                or previous >= position
                or back >= position
                or following > end
            ):
                raise self.damaged(position, "a data record does not fit its transaction")
            yield oid, position, previous, length, back
            position = following

    def pointed(self, position: int, oid: int) -> tuple[int, int, int]:
        """Return transaction, data length and back pointer of a record that a pointer leads to.

        The pointer is one that points back, and so into the file.
        """
        record = os.pread(self.descriptor, RECORD.size, position)
        if len(record) < RECORD.size:
            raise self.damaged(position, "the file ends here")
        found, _, _, start, version, length, back = RECORD.unpack(record)
        if length:
            back = 0
        if found != oid or version or start >= position or back >= position:
            raise self.damaged(position, "no record of the object that a pointer here belongs to")
        return start, length, back

    def resolve(self, oid: int, back: int) -> tuple[int, int]:
        """Return what a pack writes in place of a back pointer.

        That is where the data begins, 0 for none, and the size of the record, 0 if it is dropped.
        """
        if not back:
            return 0, 0
        for _ in range(LONGEST_CHAIN):
            start, length, following = self.pointed(back, oid)
            if length:
                self._check_length(back, start, length)
                return back + RECORD_HEADER.size, RECORD_HEADER.size + length
            if not following:
                return 0, RECORD.size
            back = following
        raise self.damaged(back, f"more than {LONGEST_CHAIN} back pointers in a row")

    def _check_length(self, position: int, start: int, length: int) -> None:
        """Make sure that a record ends where the next one begins, or its transaction ends."""
        after, end = position + RECORD_HEADER.size + length, self.transaction(start).end
        if after != end - LENGTH.size and (
            after > end or self.read(LENGTH.size, after + TRANSACTION_OFFSET) != LENGTH.pack(start)
        ):
            raise self.damaged(position, "the length of a data record does not lead to the next")

    def damaged(self, position: int, what: str) -> DamagedError:
        return DamagedError(
            f"{self.path} is damaged at byte {position}: {what}. Copy it and check the copy with"
            " `python -m ZODB.scripts.fstest`, then restore a backup"
        )

    def _transaction(self, position: int, size: int) -> Transaction | None:
        found = Transaction.unpack(self.window, position, position - self.base)
        if found.status == VOTED or found.end > size:
            return None
        if found.status not in COMMITTED:
            raise self.damaged(position, f"a transaction has the unknown status {found.status!r}")
        records, second_length = found.records, found.end - LENGTH.size
        if records > second_length:
            raise self.damaged(position, "a transaction is shorter than its own header")
        if records < second_length and self._number(records + TRANSACTION_OFFSET) != position:
            raise self.damaged(position, "no data record follows the header of a transaction")
        # The header of the next transaction follows it, so that both come with one read.
        if self._number(second_length) != found.length:
            raise self.damaged(position, "the two lengths of a transaction differ")
        return found

    def _number(self, position: int) -> int:
        self._hold(position, LENGTH.size)
        (number,) = LENGTH.unpack_from(self.window, position - self.base)
        return int(number)

    def _hold(self, position: int, size: int) -> None:
        if position < self.base or position + size > self.base + self.filled:
            self.load(position)
            if self.filled < size:
                raise self.damaged(position, "the file ends here")
