"""Following transactions and records through the bytes of a Data.fs while they are copied.

And, before that: where the last committed transaction of an open Data.fs ends.
"""

import os

from zope_exporter.storage.filestorage.datafile import RestlessError
from zope_exporter.storage.filestorage.format import (
    COMMITTED,
    FIRST_TRANSACTION,
    LENGTH,
    MAGICS,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    VOTED,
    Transaction,
)
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DamagedError, DataFile

# Each one more takes a commit that ends, or is taken back, within some microseconds of ours.
LOOKS = 1000


class BrokenStructureError(Exception):
    """The bytes are not those of a Data.fs: says at which byte, and why."""


class StreamCheck:
    """Checks that bytes, fed in their order, lead from transaction to transaction.

    `position` is up to where they do. Notes the place of a transaction about every `spacing` bytes.
    """

    def __init__(self, position: int = 0, tid: int = 0, spacing: int = 1 << 62) -> None:
        self.position = position
        self.tid = tid
        self.last = 0  # where the last transaction begins
        self.transactions = 0
        self.records = 0
        self.places: list[int] = []
        self._spacing = spacing
        self._fed = position
        self._rest = b""
        self._end = 0  # of the records of a transaction that is not passed yet
        self._length = -1  # of that transaction, without the second copy of its length

    def feed(self, data: bytes) -> None:
        """Follow the next bytes. Raises BrokenStructureError."""
        window = self._rest + data if self._rest else data
        base = self._fed - len(self._rest)
        self._fed += len(data)
        if not self.position and self._fed >= FIRST_TRANSACTION:
            self._check_magic(window[:FIRST_TRANSACTION])
        while self._step(window, base):
            pass
        self._rest = window[self.position - base :] if self.position < self._fed else b""

    def check_end(self, end: int) -> None:
        """Raise BrokenStructureError unless a transaction ends there and nothing follows."""
        if self.position != end or self._length >= 0 or self._fed != end:
            raise BrokenStructureError(f"byte {self.position}: no whole transaction follows")

    def _step(self, window: bytes, base: int) -> bool:
        if self.position < FIRST_TRANSACTION:
            return False
        if self._length < 0:
            return self._begin(window, base)
        if self.position < self._end:
            return self._pass_records(window, base)
        return self._finish(window, base)

    def _check_magic(self, magic: bytes) -> None:
        if magic not in MAGICS:
            raise BrokenStructureError("byte 0: not the beginning of a FileStorage")
        self.position = FIRST_TRANSACTION

    def _begin(self, window: bytes, base: int) -> bool:
        start = self.position
        if start + TRANSACTION_HEADER.size > self._fed:
            return False
        found = Transaction.unpack(window, start, start - base)
        end = found.end - LENGTH.size
        if found.tid <= self.tid or found.status not in COMMITTED or found.records > end:
            raise BrokenStructureError(f"byte {start}: no transaction after the one before")
        if not self.places or start - self.places[-1] >= self._spacing:
            self.places.append(start)
        self.last, self.tid, self._length = start, found.tid, found.length
        self._end, self.position = end, found.records
        return True

    def _pass_records(self, window: bytes, base: int) -> bool:
        position, end, own_tid, own_start = self.position, self._end, self.tid, self.last
        last, unpack, count = self._fed - RECORD_HEADER.size, RECORD_HEADER.unpack_from, 0
        while position <= last and position < end:
            _, tid, previous, start, version, length = unpack(window, position - base)
            if tid != own_tid or start != own_start or version or previous >= position:
                raise BrokenStructureError(f"byte {position}: no record of its transaction")
            position += RECORD_HEADER.size + (length or LENGTH.size)
            count += 1
        if position > end:
            raise BrokenStructureError(f"byte {position}: a record beyond its transaction")
        self.position = position
        self.records += count
        return position == end

    def _finish(self, window: bytes, base: int) -> bool:
        if self.position + LENGTH.size > self._fed:
            return False
        if LENGTH.unpack_from(window, self.position - base)[0] != self._length:
            raise BrokenStructureError(f"byte {self.last}: the two lengths of it differ")
        self.position += LENGTH.size
        self.transactions += 1
        self._length = -1
        return True


def find_end(file: DataFile, position: int, tid: int) -> int:
    """Return where the committed transactions end, of which one ends at `position` with `tid`.

    All that are committed by now are before it; those that end meanwhile may be. A commit in
    progress may follow, or a part of one that was cut off. Raises DamagedError if what follows is
    neither: then there may be transactions beyond it that would be left out. Raises RestlessError
    if that cannot be told for long.
    """
    headers = DataFile(file.path, file.descriptor, HEADERS_ONLY)
    position = max(position, FIRST_TRANSACTION)
    due = file.size()
    for _ in range(LOOKS):
        last = _last(headers, position, tid)
        if last is not None:
            position, tid = last.end, last.tid
        # A writer that commits all the time is not waited for.
        if position >= due or _nothing_after(file, position):
            return position
    raise RestlessError(
        f"{file.path} was another at byte {position} at each of {LOOKS} looks: make sure that only"
        " one program writes to it, and that its disk is sound"
    )


def _last(headers: DataFile, position: int, tid: int) -> Transaction | None:
    last = None
    for transaction in headers.transactions(position, tid):
        last = transaction
    return last


def _nothing_after(file: DataFile, position: int) -> bool:
    """Tell whether nothing committed can follow; False to look again, after a commit."""
    size = file.size()
    header = os.pread(file.descriptor, TRANSACTION_HEADER.size, position)
    if size <= position or len(header) < TRANSACTION_HEADER.size:
        return True
    try:
        return _is_unfinished(file, position, header, size)
    except DamagedError:
        # A commit that ended, or was aborted and cut off, between two of our reads looks alike.
        again = os.pread(file.descriptor, TRANSACTION_HEADER.size, position)
        if file.size() < size or again != header:
            return False
        raise


def _is_unfinished(file: DataFile, position: int, header: bytes, size: int) -> bool:
    found = Transaction.unpack(header, position)
    if found.status not in (VOTED, *COMMITTED):
        raise file.damaged(position, f"a transaction has the unknown status {found.status!r}")
    if found.end > size:
        _check_part(file, found, size)
    elif found.status == VOTED and found.end < size:
        # Nobody begins a transaction before the one before is done.
        raise file.damaged(position, "transactions follow one that was never finished")
    return found.end > size or found.status == VOTED


def _check_part(file: DataFile, found: Transaction, size: int) -> None:
    """Make sure that up to the end of the file there are only records of one transaction."""
    start, position = found.start, found.records
    while position + RECORD_HEADER.size <= size:
        record = RECORD_HEADER.unpack(file.read(RECORD_HEADER.size, position))
        _, tid, _, own_start, version, length = record
        if tid != found.tid or own_start != start or version:
            raise file.damaged(start, "the length of a transaction leads beyond the end")
        position += RECORD_HEADER.size + (length or LENGTH.size)
    rest = os.pread(file.descriptor, LENGTH.size, position)
    if rest == LENGTH.pack(position - start):
        raise file.damaged(start, "the two lengths of the last transaction differ")
