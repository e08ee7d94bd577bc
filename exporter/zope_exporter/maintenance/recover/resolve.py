"""Where the data of a record are, which an undo leaves with an earlier record."""

from zope_exporter.storage.filestorage.format import RECORD_HEADER
from zope_exporter.storage.filestorage.reader import LONGEST_CHAIN

from .damaged_file import DamagedFile, RecordHeader
from .moved import Moves
from .salvage import Kept, Salvaged
from .stored import is_whole


class Resolver:
    """Follows the pointers of records without data; it knows which were put right."""

    def __init__(self, file: DamagedFile, moves: Moves) -> None:
        self._file = file
        self._moves = moves
        self._mended: dict[int, Kept] = {}

    def remember(self, found: Salvaged) -> None:
        """Take the records that were put right as they should be for those that point to them."""
        for record in found.records if found.repaired else ():
            raw = self._file.record(record.position)
            if raw is not None and (raw.oid, raw.length, raw.version) != (
                record.oid,
                record.length,
                0,
            ):
                self._mended[record.position - found.shift] = record

    def data_of(self, record: Kept) -> tuple[int, int] | None:
        """Return begin and length of the data, (0, 0) of an object deleted or never created.

        None says that the record it points to is damaged.
        """
        if record.length or not record.back:
            return record.data, record.length
        back = record.back
        for _ in range(LONGEST_CHAIN):
            found = self._record(record.oid, back)
            if found is None or found[1]:
                return found and found[:2]
            if not found[2]:
                return 0, 0
            if found[2] >= back:
                return None
            back = found[2]
        return None

    def _record(self, oid: int, origin: int) -> tuple[int, int, int] | None:
        """Return begin and length of the data of a record, and where it points in their place."""
        mended = self._mended.get(origin)
        if mended is not None:
            return (mended.data, mended.length, mended.back) if mended.oid == oid else None
        position = self._moves.here(origin)
        found = self._file.record(position)
        if found is None or found.oid != oid or found.version:
            return None
        if not found.length:
            return 0, 0, found.back
        if not self._ends(found, position):
            return None
        return position + RECORD_HEADER.size, found.length, 0

    def _ends(self, record: RecordHeader, position: int) -> bool:
        """Tell whether a record is as long as it says."""
        after = position + record.size
        if after > self._file.size:
            return False
        following = self._file.record(after)
        if following is not None and following.start == record.start:
            return True
        start = self._moves.here(record.start)
        if self._file.number(after) == after - start:
            return True
        return is_whole(self._file.read(record.length, position + RECORD_HEADER.size))
