"""Where the last committed transaction of an open Data.fs ends, and whether what follows is due."""

import os

from zope_exporter.storage.filestorage.datafile import RestlessError
from zope_exporter.storage.filestorage.format import (
    COMMITTED,
    FIRST_TRANSACTION,
    LENGTH,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    VOTED,
    Transaction,
)
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DamagedError, DataFile

# Each one more takes a commit that ends, or is taken back, within some microseconds of ours.
LOOKS = 1000


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
