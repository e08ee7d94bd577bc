"""What a damaged file is made of: its transactions, and the stretches that are none.

It takes 25 bytes a transaction to know all of them before the first is written, without which no id
could be told for wrong: a wrong one, even if header and record agree, does not fit between others.
"""

from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, MAGICS, VOTED

from .bounds import ANY, Bounds, Finder
from .damaged_file import DamagedFile

Signed = npt.NDArray[np.int64]


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
