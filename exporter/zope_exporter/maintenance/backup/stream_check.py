"""Following transactions and records through the bytes of a Data.fs while they are copied."""

from zope_exporter.storage.filestorage.format import (
    COMMITTED,
    FIRST_TRANSACTION,
    LENGTH,
    MAGICS,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    Transaction,
)


class BrokenStructureError(Exception):
    """The bytes are not those of a Data.fs: says at which byte, and why."""


class Structure:
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
