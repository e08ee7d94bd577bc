"""What a recovery could not bring back, to the last transaction and object."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from zope_exporter.wording import size

from .moment import shown
from .salvage import Gap, LostRecord, Salvaged

SHOWN = 1000


@dataclass
class Losses:
    """Collects what is told of pieces, and of objects once all is read."""

    kept: int = 0
    gaps: list[Gap] = field(default_factory=list)
    partial: list[tuple[int, list[LostRecord]]] = field(default_factory=list)
    repaired: list[tuple[int, str]] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    older: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    dangling: list[tuple[int, int]] = field(default_factory=list)
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
        if not gap.unfinished:
            self._miss(gap.oids)

    def settle(self, current: dict[int, int]) -> None:
        """Tell objects of which the last revision is lost from those of which all are."""
        for oid in sorted(self._lost):
            (self.older if oid in current else self.gone).append(oid)

    @property
    def any(self) -> bool:
        """Whether anything that was committed is not there, or in doubt."""
        gaps = [gap for gap in self.gaps if not gap.unfinished]
        return bool(gaps or self.partial or self.undone or self.unreadable)

    @property
    def verdict(self) -> str:
        """All of it in a clause."""
        if not self.any:
            return "nothing that was committed is missing"
        gaps = sum(not gap.unfinished for gap in self.gaps)
        return (
            f"lost are {gaps} stretches of whole transactions and parts of {len(self.partial)},"
            f" {len(self.older)} objects fell back, {len(self.gone)} are gone,"
            f" {len(self.unreadable)} are unreadable"
        )

    def lines(self) -> Iterator[str]:
        """Say it all, a sentence each."""
        for gap in self.gaps:
            yield _gap(gap)
        for tid, lost in self.partial:
            oids = ", ".join(_oid(each.oid) for each in lost)
            yield f"lost part of the transaction of {_tid(tid)}: objects {oids}"
        for tid, what in self.repaired:
            yield f"put right in the transaction of {_tid(tid)}: {what}"
        for tid in self.undone:
            yield f"in doubt: the transaction of {_tid(tid)} is marked as undone, and not seen"
        yield from _objects("fell back to an earlier revision", self.older)
        yield from _objects("is lost with all its revisions", self.gone)
        yield from _objects("has data that are no pickle", self.unreadable)
        for source, target in self.dangling[:SHOWN]:
            yield f"object {_oid(source)} refers to {_oid(target)}, which is not there"

    def _miss(self, oids: Iterator[int | None] | Sequence[int]) -> None:
        for oid in oids:
            if oid is not None:
                self._lost[oid] = 1


def _gap(gap: Gap) -> str:
    where = f"bytes {gap.start} to {gap.end} ({size(gap.end - gap.start)})"
    whose = f", of the transaction of {_tid(gap.tid)} or later" if gap.tid else ""
    if gap.unfinished:
        return f"left out {where} at the end: a transaction that was never committed whole"
    objects = f": objects {', '.join(map(_oid, gap.oids))}" if gap.oids else ""
    return f"lost {where}{whose}{objects}"


def _objects(what: str, oids: Sequence[int]) -> Iterator[str]:
    for oid in oids[:SHOWN]:
        yield f"object {_oid(oid)} {what}"
    if len(oids) > SHOWN:
        yield f"and {len(oids) - SHOWN} more of which one {what}"


def _oid(oid: int | None) -> str:
    return "unknown" if oid is None else f"0x{oid:x}"


def _tid(tid: int) -> str:
    try:
        return shown(tid.to_bytes(8, "big"))
    except (ValueError, OverflowError):
        return f"id {tid:016x}"
