"""What has made a Data.fs grow: sums by class, by path and by user.

However many names there are, it takes the memory of a few, and the sums come to the bytes that were
appended, exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from .class_names import OTHER
from .commits import ANONYMOUS, Commit, CommitReader, last_committed, position_since
from .datafile import opened
from .format import PACKED, tid_at, time_of
from .reader import DataFile

MOST = 10_000

By = Literal["class", "path", "user", "view"]
"""A view is the last part of a path, of visitors alone who have not logged in."""


class Row(NamedTuple):
    """What went to one name; `transactions` are those that wrote any of it."""

    key: str
    bytes: int
    records: int
    transactions: int


class Ranking:
    """Sums by name; once there are twice `most` names, the smaller half goes to OTHER."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._sums: dict[str, list[int]] = {}
        self._other = [0, 0, 0]

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, key: str, size: int, records: int, transactions: int) -> None:
        """Add to the sums of a name."""
        sums = self._other if key == OTHER else self._sums.get(key)
        if sums is None:
            if len(self._sums) >= 2 * self._most:
                self.cut(self._most)
            self._sums[key] = [size, records, transactions]
            return
        sums[0] += size
        sums[1] += records
        sums[2] += transactions

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Add the sums of several names."""
        for row in rows:
            self.add(*row)

    def cut(self, most: int) -> None:
        """Keep the largest; the order of equal ones is that of their names."""
        kept = {row.key: list(row[1:]) for row in self.rows(most)}
        self._other = kept.pop(OTHER, [0, 0, 0])
        self._sums = kept

    def rows(self, most: int | None = None) -> list[Row]:
        """Return the largest first, and at the end what all others have, if anything."""
        rows = [Row(key, *sums) for key, sums in self._sums.items()]
        rows.sort(key=lambda row: (-row.bytes, row.key))
        rest = [] if most is None else rows[most:]
        columns = zip(self._other, *(row[1:] for row in rest), strict=True)
        other = Row(OTHER, *map(sum, columns))
        return rows[:most] + ([other] if any(other[1:]) else [])


@dataclass
class Growth:
    """What some transactions have written: all in all, and `by` what is asked for.

    By class, the overhead of transactions and records whose class cannot be told are in OTHER.
    `first` is the id of the first, 0 without any, `last` that of the last in the file; `packed`
    ones were gone over by a pack since, which may have removed some of what they wrote.
    """

    by: Sequence[By]
    most: int = MOST
    bytes: int = 0
    records: int = 0
    transactions: int = 0
    packed: int = 0
    first: int = 0
    last: int = 0
    rankings: dict[By, Ranking] = field(init=False)

    def __post_init__(self) -> None:
        self.rankings = {by: Ranking(self.most) for by in self.by}

    def add(self, commit: Commit) -> None:
        """Count a transaction."""
        (tid, status, start, _, end), classes, user, path = commit
        size, records = end - start, sum([count for _, count in classes.values()])
        self.bytes += size
        self.records += records
        self.transactions += 1
        self.packed += status == PACKED
        self.first = self.first or tid
        self.last = tid
        for by, ranking in self.rankings.items():
            if by == "class":
                for name, (written, count) in classes.items():
                    ranking.add(name, written, count, 1)
            elif by != "view":
                ranking.add(user if by == "user" else path, size, records, 1)
            elif user == ANONYMOUS:
                ranking.add(path.rpartition("/")[2], size, records, 1)

    def add_all(self, later: "Growth") -> None:
        """Count all of another one, whose transactions are later."""
        self.bytes += later.bytes
        self.records += later.records
        self.transactions += later.transactions
        self.packed += later.packed
        self.first = self.first or later.first
        self.last = later.last
        for by, ranking in self.rankings.items():
            ranking.add_rows(later.rankings[by].rows())

    def cut(self, most: int) -> None:
        """Keep the largest by name, in each way."""
        for ranking in self.rankings.values():
            ranking.cut(most)

    def rows(self, by: By, most: int | None = None) -> list[Row]:
        """Return the largest first, and at the end what all others have, if anything."""
        rows = self.rankings[by].rows(most)
        if by == "class" and self.transactions:
            # What is in no record is in OTHER, so that each transaction has some of that.
            other = rows.pop() if rows and rows[-1].key == OTHER else Row(OTHER, 0, 0, 0)
            size = self.bytes - sum(row.bytes for row in rows)
            rows.append(other._replace(bytes=size, transactions=self.transactions))
        return rows


def growth_of(path: Path, by: Sequence[By], span: float, now: float | None = None) -> Growth:
    """Return what was written to a Data.fs within `span` seconds before now.

    Without `now`, in seconds since the epoch, that is before the last transaction. Raises what
    `datafile.opened` raises, and DamagedError.
    """
    growth = Growth(by)
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        last = last_committed(file)
        if last is not None:
            end = now or time_of(last.tid.to_bytes(8, "big"))
            begin = position_since(file, last, tid_at(end - span))
            growth.last = last.tid
            for commit in CommitReader().commits(file, *begin):
                growth.add(commit)
    return growth
