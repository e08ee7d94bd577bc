"""A Data.fs whose transactions say who has written them, at which path, and what."""

from collections.abc import Sequence

from persistent.TimeStamp import TimeStamp
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.utils import p64, z64

from zope_exporter.storage.filestorage.format import tid_at


class Writer:
    """Writes commits to a storage, each with the time it is said to be of."""

    def __init__(self, storage: FileStorage) -> None:
        self.storage = storage
        self._oid = 0
        self._tid = b""

    def commit(
        self, time: float, path: str, user: str, records: Sequence[bytes], undo: bytes = b""
    ) -> int:
        """Store new objects, or undo a transaction; return the bytes appended."""
        before = self.storage.getSize()
        transaction = TransactionMetaData(user, path, {})
        tid = tid_at(time).to_bytes(8, "big")
        self._tid = (
            tid if tid > self._tid else TimeStamp(self._tid).laterThan(TimeStamp(self._tid)).raw()
        )
        self.storage.tpc_begin(transaction, tid=self._tid)
        for data in records:
            self.storage.store(p64(self._oid), z64, data, "", transaction)
            self._oid += 1
        if undo:
            self.storage.undo(undo, transaction)
        self.storage.tpc_vote(transaction)
        self.storage.tpc_finish(transaction)
        return int(self.storage.getSize()) - int(before)
