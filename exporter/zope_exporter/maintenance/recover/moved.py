"""What was where, before bytes were cut out of the file or came into it.

All pointers in a Data.fs are places in the file as it was written: its origins. Of runs of
transactions that were moved alike it is known where they were; between them are holes, and what was
there is lost, whether there are other bytes in its place now or none.
"""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION

from .survey import Signed, Survey

NOWHERE = -1


class Run(NamedTuple):
    """Transactions one after the other, which were at `origin` to `end` and were moved alike."""

    origin: int
    end: int
    shift: int


class Hole(NamedTuple):
    """What is lost was at `origin` to `end`, and would be at `place` in the file."""

    origin: int
    end: int
    place: int


class Moves:
    """Translates between a file and its origins."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._stretches = dict(survey.gaps)
        starts = np.frombuffer(survey.starts, np.uint64).astype(np.int64)
        self._ends = survey.ends()
        self.shifts = _confirmed(survey, starts, self._ends)
        self._runs = sorted(_runs(starts, self._ends, self.shifts))
        self._origins = [run.origin for run in self._runs]
        self.holes = list(self._holes())

    def runs(self) -> "list[Run]":
        """Return the runs that are not where they were."""
        return [run for run in self._runs if run.shift]

    def moved(self, number: int) -> int:
        """Return by how many bytes a transaction was moved."""
        return int(self.shifts[number])

    def end(self, number: int) -> int:
        return int(self._ends[number])

    def here(self, origin: int) -> int:
        """Return where in the file that is now which a pointer leads to, NOWHERE if it is gone."""
        number = self.hole_at(origin)
        if number is not None:
            hole = self.holes[number]
            place = hole.place + origin - hole.origin
            return place if place < self._stretches.get(hole.place, hole.place) else NOWHERE
        number = bisect_right(self._origins, origin) - 1
        return origin + (self._runs[number].shift if number >= 0 else 0)

    def hole_at(self, origin: int) -> int | None:
        """Return the number of the hole that a pointer leads into."""
        number = bisect_right(self.holes, origin, key=lambda hole: hole.origin) - 1
        return number if number >= 0 and origin < self.holes[number].end else None

    def _holes(self) -> "list[Hole]":
        found, covered, place, shift = [], FIRST_TRANSACTION, FIRST_TRANSACTION, 0
        for run in self._runs:
            if run.origin > covered:
                found.append(Hole(covered, run.origin, place))
            if run.end > covered:
                covered, place, shift = run.end, run.end + run.shift, run.shift
        last = self._survey.gaps[-1] if self._survey.gaps else (0, 0)
        if last[1] == self._survey.size and last[0] <= place and self._survey.size > place:
            found.append(Hole(covered, self._survey.size - shift, place))
        return found


def _confirmed(survey: Survey, starts: Signed, ends: Signed) -> Signed:
    """Leave out those moves that may be no more than a damaged field of one record."""
    shifts = np.frombuffer(survey.shifts, np.int64).copy()
    odd = np.flatnonzero(shifts)
    if not len(odd):
        return shifts
    sure = np.frombuffer(survey.firm, np.bool_).copy()
    alike = shifts[1:] == shifts[:-1]
    sure[1:] |= alike
    sure[:-1] |= alike
    origins = starts[odd] - shifts[odd]
    sure[odd] |= np.isin(origins, starts) | np.isin(origins + ends[odd] - starts[odd], starts)
    for number in odd[~sure[odd]].tolist():
        shifts[number] = shifts[number - 1] if number else 0
    return shifts


def _runs(starts: Signed, ends: Signed, shifts: Signed) -> "list[Run]":
    if not len(starts):
        return []
    breaks = (starts[1:] != ends[:-1]) | (shifts[1:] != shifts[:-1])
    first = np.append(0, np.flatnonzero(breaks) + 1)
    last = np.append(first[1:] - 1, len(starts) - 1)
    moved = shifts[first]
    columns = zip(
        (starts[first] - moved).tolist(), (ends[last] - moved).tolist(), moved.tolist(), strict=True
    )
    return [Run(*each) for each in columns]
