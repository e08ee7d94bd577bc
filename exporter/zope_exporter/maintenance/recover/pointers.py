"""The pointers of records: to the object's revision before, and to data that an undo left there."""

from ZODB.fsIndex import fsIndex

from zope_exporter.storage.filestorage.format import RECORD_HEADER, UNDONE
from zope_exporter.storage.filestorage.reader import LONGEST_CHAIN

from .damaged_file import DamagedFile, RecordHeader, is_whole
from .pieces import Gap
from .salvage import Kept, LostRecord, Salvaged
from .survey import Moves


class Positions:
    """A number for each of many objects; ZODB's index takes some 16 bytes for one."""

    def __init__(self) -> None:
        self._index = fsIndex()

    def __contains__(self, oid: int) -> bool:
        return oid.to_bytes(8, "big") in self._index

    def get(self, oid: int) -> int:
        """Return its position, 0 if there is none."""
        return int(self._index.get(oid.to_bytes(8, "big"), 0))

    def put(self, oid: int, position: int) -> None:
        self._index[oid.to_bytes(8, "big")] = position


class Links:
    """Follows the pointers to revisions before, of one transaction after the other.

    `gaps` begin with the holes. `doubts` are ids of a transaction and of two objects which are one
    and the same.
    """

    def __init__(self, file: DamagedFile, moves: Moves, gaps: list[Gap]) -> None:
        self._file = file
        self._moves = moves
        self._gaps = gaps
        self._latest = Positions()  # by their origins, as pointers have them
        self._lost: dict[int, LostRecord] = {}
        self._doubted: dict[int, int] = {}
        self.doubts: list[tuple[int, int, int]] = []

    def follow(self, found: Salvaged) -> None:
        """Put right what is wrong, and note what is known of what is lost."""
        for number, record in enumerate(found.records):
            if record.previous and record.previous != self._latest.get(record.oid):
                self._stray(found, number, record)
        if found.status != UNDONE:  # nobody sees those
            for record in found.records:
                self._latest.put(record.oid, record.position - found.shift)
        for lost in found.lost:
            self._lost[lost.position - found.shift] = lost

    def _stray(self, found: Salvaged, number: int, record: Kept) -> None:
        hole = self._moves.hole_at(record.previous)
        lost = self._lost.get(record.previous)
        if hole is not None:
            self._gaps[hole].oids.add(record.oid)  # it had a revision there
        if lost is not None:
            lost.oid = record.oid
        if hole is not None or lost is not None:
            return
        if self._doubted.get(record.previous) == record.oid:
            return  # so the id of that one was wrong
        other = self._file.record(self._moves.here(record.previous))
        if other is None or other.version or self._latest.get(other.oid) != record.previous:
            what = f"pointer to the revision before of object 0x{record.oid:x}"
            if other is None or other.version or other.oid != record.oid:
                found.repaired.append(what)
        elif other.oid not in {each.oid for each in found.records}:
            self._other_object(found, number, other)

    def _other_object(self, found: Salvaged, number: int, other: RecordHeader) -> None:
        """One of two records, of which one follows the other, has a wrong object id."""
        record = found.records[number]
        before = self._file.record(self._moves.here(other.previous))
        if other.previous and (before is None or before.oid != other.oid):
            return  # it is the other one: that does not follow one of its own either
        if other.previous or self._latest.get(record.oid):
            found.records[number] = record._replace(oid=other.oid)
            what = f"object id 0x{other.oid:x}, which was 0x{record.oid:x}"
            found.repaired.append(what)
        else:
            self.doubts.append((found.tid, record.oid, other.oid))
            self._doubted[record.position - found.shift] = other.oid


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
