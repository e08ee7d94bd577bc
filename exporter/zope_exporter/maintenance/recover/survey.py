"""What a damaged file is made of: its transactions, what is none, and what was moved.

It takes 25 bytes a transaction to know all of them before the first is written, without which no id
could be told for wrong: a wrong one, even if header and record agree, does not fit between others.

All pointers in a Data.fs are places in the file as it was written: its origins. Of runs of
transactions that were moved alike it is known where they were; between them are holes, and what was
there is lost, whether there are other bytes in its place now or none.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, MAGICS, VOTED

from .bounds import ANY, Bounds, Finder
from .damaged_file import DamagedFile

Signed = npt.NDArray[np.int64]
NOWHERE = -1


@dataclass
class Survey:
    """A row for each transaction in the order of the file, and begin and end of what is none.

    `others` has the ids of those of which header and records differ.
    """

    size: int
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    tids: "array[int]" = field(default_factory=lambda: array("Q"))
    shifts: "array[int]" = field(default_factory=lambda: array("q"))
    firm: bytearray = field(default_factory=bytearray)
    others: dict[int, tuple[int, ...]] = field(default_factory=dict)
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def add(self, bounds: Bounds) -> None:
        if len(bounds.tids) != 1:
            self.others[len(self.starts)] = bounds.tids
        self.starts.append(bounds.start)
        self.tids.append(bounds.tids[0] if bounds.tids else 0)
        self.shifts.append(bounds.shift)
        self.firm.append(bounds.firm)

    def ends(self) -> Signed:
        """Return where each transaction ends: where the next begins, or what is none."""
        starts = np.frombuffer(self.starts, np.uint64).astype(np.int64)
        ends = np.append(starts[1:], self.size) if len(starts) else starts
        for begin, _ in self.gaps:
            number = int(np.searchsorted(starts, begin)) - 1
            if number >= 0:
                ends[number] = begin
        return ends


def survey(file: DamagedFile, report: Report) -> Survey:
    """Go through a file from end to end, whatever is in it."""
    finder, found = Finder(file), Survey(file.size)
    magic = file.read(FIRST_TRANSACTION, 0) in MAGICS
    position, last = FIRST_TRANSACTION if magic else 0, ANY
    report.advance(position)
    while position < file.size:
        report.check()
        bounds = finder.bounds(position)
        if bounds is None or _is_unfinished(bounds, file.size):
            after = finder.search(position + 1, last)
            found.gaps.append((position, after))
        else:
            found.add(bounds)
            last, after = min(bounds.tids, default=last), bounds.after
        report.advance(after - position)
        position = after
    if found.gaps and found.gaps[0] == (0, FIRST_TRANSACTION):
        del found.gaps[0]  # no more than the magic
    return found


def _is_unfinished(bounds: Bounds, size: int) -> bool:
    return bounds.header.status == VOTED and bounds.after == size


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
