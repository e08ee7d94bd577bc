"""Counters of what was written by class: of a few classes by name, and of all others as one.

A name stays for an hour at least, and until another class has clearly written more in an hour, so
that series do not come and go.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .class_names import OTHER
from .commits import Commit
from .format import hour_of
from .growth import Ranking

NAMED = 20
# Of the current hour; with as many names memory stays flat.
RECENT = 200
CLEARLY = 2

Sums = list[int]
"""Bytes and records."""


class ClassCounters:
    """Sums since the first sight of a database; all of them together are the bytes appended.

    The first classes to write are named. When an hour ends, those that wrote more than twice as
    much in it as a named one take its place. A class that is no longer named takes its count with
    it: no counter moves for what it does not count.
    """

    def __init__(self) -> None:
        self.named: dict[str, Sums] = {}
        self.other: Sums = [0, 0]
        self._hour = 0
        self._recent = Ranking(RECENT)

    def expect(self, names: Iterable[str]) -> None:
        """Name classes before they write, until others that do want their places."""
        for name in names:
            if name != OTHER and len(self.named) < NAMED:
                self.named.setdefault(name, [0, 0])

    def add(self, commit: Commit) -> None:
        """Count a transaction; what is in no record is of no class."""
        hour = hour_of(commit.transaction.tid)
        if hour > self._hour:
            self._rename()
            self._hour = hour
        rest = commit.transaction.end - commit.transaction.start
        for name, (size, records) in commit.classes.items():
            self._recent.add(name, size, records, 1)
            sums = self.named.get(name) or self._taken(name)
            if sums is None:
                self.other[1] += records
            else:
                sums[0] += size
                sums[1] += records
                rest -= size
        self.other[0] += rest

    def sums(self) -> dict[str, tuple[int, ...]]:
        """Return bytes and records by name, and of all others."""
        return {name: tuple(sums) for name, sums in {**self.named, OTHER: self.other}.items()}

    def kept(self) -> dict[str, Any]:
        """Return all that `restore` needs."""
        recent = self._recent.rows()
        return {"named": self.named, "other": self.other, "hour": self._hour, "recent": recent}

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "ClassCounters":
        """Return what was kept; raises ValueError, TypeError or KeyError if that is not it."""
        counters = cls()
        for name, (size, records) in kept["named"].items():
            counters.named[name] = [int(size), int(records)]
        size, records = kept["other"]
        counters.other = [int(size), int(records)]
        counters._hour = int(kept["hour"])
        for key, *sums in kept["recent"]:
            counters._recent.add(key, *map(int, sums))
        return counters

    def _taken(self, name: str) -> Sums | None:
        """Return the counter for a class that has none, if a place is free or unused."""
        if name == OTHER:
            return None
        if len(self.named) >= NAMED:
            unused = next((each for each, sums in self.named.items() if not sums[1]), None)
            if unused is None:
                return None
            del self.named[unused]
        return self.named.setdefault(name, [0, 0])

    def _rename(self) -> None:
        recent = {row.key: row.bytes for row in self._recent.rows() if row.key != OTHER}
        for name, size in recent.items():  # the largest first
            if name in self.named:
                continue
            least = min(self.named, key=lambda each: (recent.get(each, 0), each))
            if size <= CLEARLY * recent.get(least, 0):
                break
            del self.named[least]
            self.named[name] = [0, 0]
        self._recent = Ranking(RECENT)
