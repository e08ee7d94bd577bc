"""The pointers from each record to its object's revision before, as far as they tell of damage."""

from collections.abc import Iterator
from typing import NamedTuple

from zope_exporter.storage.filestorage.format import UNDONE

from .damaged_file import DamagedFile, RecordHeader
from .moved import Moves
from .positions import Positions
from .salvage import Kept, LostRecord, Salvaged


class Lead(NamedTuple):
    """That an object had a revision in a hole, or that a lost record was one of it."""

    oid: int
    hole: int | None
    record: LostRecord | None


class Links:
    """Follows the pointers of one transaction after the other.

    `doubts` are ids of a transaction and of two objects which are one and the same.
    """

    def __init__(self, file: DamagedFile, moves: Moves) -> None:
        self._file = file
        self._moves = moves
        self._latest = Positions()  # by their origins, as pointers have them
        self._lost: dict[int, LostRecord] = {}
        self._doubted: dict[int, int] = {}
        self.doubts: list[tuple[int, int, int]] = []

    def follow(self, found: Salvaged) -> list[Lead]:
        """Put right what is wrong, and return what is known of what is lost."""
        leads: list[Lead] = []
        for number, record in enumerate(found.records):
            if record.previous and record.previous != self._latest.get(record.oid):
                leads += self._stray(found, number, record)
        if found.status != UNDONE:  # nobody sees those
            for record in found.records:
                self._latest.put(record.oid, record.position - found.shift)
        for lost in found.lost:
            self._lost[lost.position - found.shift] = lost
        return leads

    def _stray(self, found: Salvaged, number: int, record: Kept) -> Iterator[Lead]:
        hole = self._moves.hole_at(record.previous)
        lost = self._lost.get(record.previous)
        if hole is not None or lost is not None:
            yield Lead(record.oid, hole, lost)
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
