"""What a recovery could not bring back, as far as it can be known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from zope_exporter.maintenance.restore.point_in_time import shown
from zope_exporter.system.humanize import size

from .pieces import Gap
from .pointers import Positions
from .salvage import LostRecord, Salvaged

SHOWN = 1000
LIMITS = (
    "the contents of the records were not checked: a change within one, or a transaction cut off"
    " whole at the end, is not noticed"
)


@dataclass
class Losses:
    """Collects what is told of pieces, and of objects once all is read.

    `opaque` of the `records` are compressed in a way unknown or encrypted.
    """

    kept: int = 0
    notes: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    partial: list[tuple[int, list[LostRecord]]] = field(default_factory=list)
    repaired: list[tuple[int, str]] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    blobs: list[tuple[int, int, int]] = field(default_factory=list)
    doubts: list[tuple[int, int, int]] = field(default_factory=list)
    older: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    too_large: list[int] = field(default_factory=list)
    dangling: list[tuple[int, int]] = field(default_factory=list)
    records: int = 0
    opaque: int = 0
    _lost: dict[int, int] = field(default_factory=dict)

    def add(self, found: Salvaged, lost: Sequence[LostRecord]) -> None:
        """Count a transaction that was written, without the records `lost`."""
        self.kept += 1
        self.repaired += [(found.tid, what) for what in found.repaired]
        if found.status == b"u":
            self.undone.append(found.tid)
        if lost:
            self.partial.append((found.tid, list(lost)))
        for record in found.records:
            self._lost.pop(record.oid, None)
        self._miss(each.oid for each in lost)

    def skip(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self._miss(gap.oids)

    def settle(self, current: Positions) -> None:
        """Tell objects of which the last revision is lost from those of which all are."""
        for oid in sorted(self._lost):
            (self.older if oid in current else self.gone).append(oid)

    @property
    def lost(self) -> list[Gap]:
        """The gaps in which there was something that was committed."""
        return [gap for gap in self.gaps if gap.lost and not gap.unfinished]

    @property
    def any(self) -> bool:
        """Whether anything that was committed is not there, or in doubt."""
        doubts = self.undone or self.blobs or self.doubts or self.unreadable or self.too_large
        return bool(self.lost or self.partial or doubts)

    @property
    def verdict(self) -> str:
        """All of it in a clause."""
        if not self.any:
            return f"nothing found missing ({LIMITS})"
        lost = sum(gap.transactions for gap in self.lost)
        absent = {target for _, target in self.dangling}
        counts = {
            "lost are at least %d whole transactions": lost,
            "lost are parts of %d transactions": len(self.partial),
            "at least %d objects fell back": len(self.older),
            "at least %d objects are gone": len(self.gone),
            "%d objects are unreadable": len(self.unreadable),
            "%d objects are too large to be checked": len(self.too_large),
            "%d objects that others refer to are not there": len(absent),
            "%d things are in doubt": len(self.undone) + len(self.doubts) + len(self.blobs),
        }
        return f"{', '.join(text % count for text, count in counts.items() if count)} ({LIMITS})"

    def lines(self) -> Iterator[str]:
        """Say it all, a sentence each."""
        yield from self.notes
        for gap in self.gaps:
            yield _gap(gap)
        for tid, lost in self.partial:
            oids = _named([each.oid for each in lost])
            yield f"lost part of the transaction of {_tid(tid)}: objects {oids}"
        for tid, what in self.repaired:
            yield f"put right in the transaction of {_tid(tid)}: {what}"
        yield from self._in_doubt()
        yield from _objects("fell back to an earlier revision", self.older)
        yield from _objects("is lost with all its revisions", self.gone)
        yield from _objects("has data that are no pickle", self.unreadable)
        yield from _objects("has data too large for the memory allowed", self.too_large)
        for source, target in self.dangling[:SHOWN]:
            yield f"object {_oid(source)} refers to {_oid(target)}, which is not there"
        if self.opaque:
            yield (
                f"{self.opaque} of {self.records} current records are no pickles but compressed or"
                " encrypted: their contents were not inspected"
            )

    def _in_doubt(self) -> Iterator[str]:
        for tid in self.undone:
            yield f"in doubt: the transaction of {_tid(tid)} is marked as undone, and not seen"
        for tid, oid, other in self.doubts:
            yield (
                f"in doubt: the record of object {_oid(oid)} in the transaction of {_tid(tid)}"
                f" follows one of object {_oid(other)}: it is one object, and one id is damaged"
            )
        for oid, before, after in self.blobs:
            yield (
                f"in doubt: the blob of object {_oid(oid)} may be in a file 0x{before:016x}.blob;"
                f" if there is no 0x{after:016x}.blob beside it, give it that name"
            )

    def _miss(self, oids: Iterable[int | None]) -> None:
        for oid in oids:
            if oid is not None:
                self._lost[oid] = 1


def _gap(gap: Gap) -> str:
    where = f"bytes {gap.start} to {gap.end} ({size(gap.end - gap.start)})"
    if gap.unfinished:
        return f"left out {where} at the end: a transaction that was never committed whole"
    if not gap.lost:
        return f"left out {where}, which are not of this file: nothing is missing in their place"
    if gap.start == gap.end:
        where = f"{size(gap.lost)} that are missing at byte {gap.start}"
    after = f" after {_tid(gap.low)}" if gap.low else ""
    before = f" before {_tid(gap.high)}" if gap.high is not None else ""
    between = " and".join(each for each in (after, before) if each)
    objects = f", with revisions of the objects {_named(sorted(gap.oids))}" if gap.oids else ""
    count = "1 transaction" if gap.transactions == 1 else f"{gap.transactions} transactions"
    return f"lost {where}: at least {count}{between}{objects}"


def _objects(what: str, oids: Sequence[int]) -> Iterator[str]:
    for oid in oids[:SHOWN]:
        yield f"object {_oid(oid)} {what}"
    if len(oids) > SHOWN:
        yield f"and {len(oids) - SHOWN} more of which one {what}"


def _named(oids: Sequence[int | None]) -> str:
    more = f" and {len(oids) - SHOWN} more" if len(oids) > SHOWN else ""
    return ", ".join(map(_oid, oids[:SHOWN])) + more


def _oid(oid: int | None) -> str:
    return "unknown" if oid is None else f"0x{oid:x}"


def _tid(tid: int) -> str:
    try:
        return shown(tid.to_bytes(8, "big"))
    except (ValueError, OverflowError):
        return f"id {tid:016x}"
