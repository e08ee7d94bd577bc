"""The transactions in the bytes of a Data.fs that come in their order, such as out of pieces."""

from collections.abc import Iterator

from zope_exporter.storage.filestorage.format import (
    FIRST_TRANSACTION,
    TRANSACTION_HEADER,
    Transaction,
)

from .stream_check import BrokenStructureError


class Headers:
    """Finds the headers of transactions; nothing else is looked at."""

    def __init__(self, position: int = 0, tid: int = 0) -> None:
        """The bytes begin at `position`, after the transaction `tid`."""
        self._fed = position
        self._next = position or FIRST_TRANSACTION
        self._rest = b""
        self._tid = tid

    def feed(self, data: bytes) -> Iterator[Transaction]:
        """Yield the transactions that begin in the next bytes."""
        window = self._rest + data
        base = self._fed - len(self._rest)
        self._fed += len(data)
        while self._next + TRANSACTION_HEADER.size <= self._fed:
            found = Transaction.unpack(window, self._next, self._next - base)
            if found.tid <= self._tid:
                raise BrokenStructureError(f"byte {self._next}: no transaction after that before")
            yield found
            self._tid = found.tid
            self._next = found.end
        self._rest = window[self._next - base :] if self._next < self._fed else b""
