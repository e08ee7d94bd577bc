"""Counting commits from the end of a Data.fs, without reading what is before them."""

from .records import UNDONE, DataFile
from .tail import FIRST_TRANSACTION, LENGTH, Transaction


def count_after(file: DataFile, last: Transaction, tid: int) -> int:
    """Count the transactions later than `tid`, `last` being the last committed one of the file."""
    count, position = 0, last.start
    while (transaction := file.transaction(position)).tid > tid:
        count += transaction.status != UNDONE
        if position == FIRST_TRANSACTION:
            break
        (length,) = LENGTH.unpack(file.read(LENGTH.size, position - LENGTH.size))
        if position - LENGTH.size - length < FIRST_TRANSACTION:
            raise file.damaged(position, "the transaction before has a wrong length")
        position -= LENGTH.size + length
    return count
