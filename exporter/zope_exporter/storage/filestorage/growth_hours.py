"""What has made a Data.fs grow in the last week, hour by hour."""

from collections.abc import Mapping
from typing import Any

from .commits import Commit
from .format import hour_of, tid_at, time_of
from .growth import By, Growth

BY: tuple[By, ...] = ("class", "path", "view")
"""Users are left out: whoever sees this need not be told of them."""
WEEK = 7 * 86400.0
# Names in an hour that goes on, and in one that is over.
MOST, MOST_AFTERWARDS = 200, 20
_SUMS = ("bytes", "records", "transactions", "packed", "first", "last")


class GrowthHours:
    """Sums of each hour of the last week in which there was a transaction."""

    def __init__(self) -> None:
        self._hours: dict[int, Growth] = {}

    def __len__(self) -> int:
        return len(self._hours)

    def add(self, commit: Commit) -> None:
        """Count a transaction that is later than those counted before."""
        tid = commit.transaction.tid
        growth = self._hours.get(hour_of(tid)) or self._begin(tid)
        growth.add(commit)

    def since(self, time: float) -> Growth:
        """Return the sums from the hour of a time on, in seconds since the epoch."""
        total, first = Growth(BY), hour_of(tid_at(time))
        for hour, growth in self._hours.items():
            if hour >= first:
                total.add_all(growth)
        return total

    def kept(self) -> list[Any]:
        """Return all that `restored` needs."""
        return [
            {
                "hour": hour,
                "sums": [getattr(growth, name) for name in _SUMS],
                "rankings": {by: ranking.rows() for by, ranking in growth.rankings.items()},
            }
            for hour, growth in self._hours.items()
        ]

    @classmethod
    def restored(cls, kept: list[Mapping[str, Any]]) -> "GrowthHours":
        """Return what was kept; raises ValueError, TypeError or KeyError if that is not it."""
        hours = cls()
        for each in kept:
            sums = dict(zip(_SUMS, map(int, each["sums"]), strict=True))
            hours._hours[int(each["hour"])] = growth = Growth(BY, MOST, **sums)
            for by in BY:
                for key, *more in each["rankings"][by]:
                    growth.rankings[by].add(key, *map(int, more))
        return hours

    def _begin(self, tid: int) -> Growth:
        for growth in self._hours.values():
            growth.cut(MOST_AFTERWARDS)
        oldest = hour_of(tid_at(time_of(tid.to_bytes(8, "big")) - WEEK))
        self._hours = {hour: each for hour, each in self._hours.items() if hour >= oldest}
        self._hours[hour_of(tid)] = growth = Growth(BY, MOST)
        return growth
