"""Which id each transaction has, and in which order they belong.

In a Data.fs ids only go up. Where they do not, most of them are right: the longest rise is taken as
it is, and the others are fitted in. An id of the far future is one like any other, since ZODB goes
on after the newest there is.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zope_exporter.system.foreign_file import CHUNK

from .damaged_file import DamagedFile
from .survey import Moves, Survey

MINUTE = 32  # bits of an id that are below a minute
Objects = Callable[[int], Iterable[int]]
Numbers = npt.NDArray[np.int64]
Tids = npt.NDArray[np.uint64]


@dataclass
class Order:
    """The id of each transaction of the file, and the numbers of those to be written, in order.

    `copies` are those left out: their numbers, and that of the one they are equal to. `sorted_in`
    keep an id that is not between those of their neighbours.
    """

    tids: Tids
    sequence: Sequence[int]
    copies: dict[int, int] = field(default_factory=dict)
    sorted_in: Sequence[int] = ()


def ordered(file: DamagedFile, survey: Survey, moves: Moves, objects: Objects) -> Order:
    """Order the transactions; `objects` gives the ids of the objects in one of them."""
    tids = np.frombuffer(survey.tids, np.uint64)
    if not survey.others and _in_order(tids):
        return Order(tids, range(len(tids)))
    return _Ordering(file, survey, moves, objects).order()


class _Ordering:
    def __init__(self, file: DamagedFile, survey: Survey, moves: Moves, objects: Objects) -> None:
        self._file = file
        self._survey = survey
        self._moves = moves
        self._objects = objects
        self._tids = np.frombuffer(survey.tids, np.uint64).copy()
        sure = np.ones(len(self._tids), bool)
        sure[list(survey.others)] = False
        numbers = np.flatnonzero(sure)
        self._rising = numbers[longest_rise(self._tids[numbers])]
        sure[self._rising] = False
        self._off: list[int] = np.flatnonzero(sure).tolist()

    def order(self) -> Order:
        copies = self._copies()
        off = [number for number in self._off if number not in copies]
        staying = self._to_stay(off)
        self._fit(set(off) - staying)
        if not copies and _in_order(self._tids):
            return Order(self._tids, range(len(self._tids)))
        numbers = np.argsort(self._tids, kind="stable")
        sequence = numbers[~np.isin(numbers, list(copies))].tolist()
        return Order(self._tids, sequence, copies, sorted(staying))

    def _copies(self) -> dict[int, int]:
        found, tids = {}, self._tids[self._rising]
        for number in self._off:
            place = int(np.searchsorted(tids, self._tids[number]))
            if place < len(tids) and tids[place] == self._tids[number]:
                twin = int(self._rising[place])
                if self._are_equal(number, twin):
                    found[number] = twin
        return found

    def _are_equal(self, number: int, twin: int) -> bool:
        one, other = self._survey.starts[number], self._survey.starts[twin]
        size = self._moves.end(number) - one
        if self._moves.end(twin) - other != size:
            return False
        return all(
            self._file.read(min(CHUNK, size - at), one + at)
            == self._file.read(min(CHUNK, size - at), other + at)
            for at in range(0, size, CHUNK)
        )

    def _to_stay(self, off: Sequence[int]) -> set[int]:
        """Return which of them go to where their id belongs, and keep it, and so their blobs.

        Not where the current state of an object would be another one than ZODB sees, who goes by
        the order of the file; but what was moved within the file is in the wrong place there.
        """
        staying = {number for number in off if self._moves.moved(number)}
        here = {number: set(self._objects(number)) for number in off if number not in staying}
        for last, newest in self._ends_of(set().union(*here.values())).values():
            if last != newest:
                here.pop(last, None)
                here.pop(newest, None)
        # Without an object nothing but a header says which id it has.
        return staying | {number for number, oids in here.items() if oids}

    def _ends_of(self, wanted: set[int]) -> dict[int, tuple[int, int]]:
        """Return of objects the last transaction in the file, and that with the highest id."""
        ends: dict[int, tuple[int, int]] = {}
        for number in range(len(self._tids)) if wanted else ():
            for oid in wanted.intersection(self._objects(number)):
                _, newest = ends.get(oid, (number, number))
                higher = self._tids[number] >= self._tids[newest]
                ends[oid] = number, number if higher else newest
        return ends

    def _fit(self, wrong: set[int]) -> None:
        """Give an id to all whose header and records differ, and to those that need another."""
        fitted, low = -1, 0
        for number in sorted(wrong.union(self._survey.others)):
            place = int(np.searchsorted(self._rising, number))
            before = int(self._rising[place - 1]) if place else -1
            if before > fitted:
                low = int(self._tids[before])
            following = place < len(self._rising)
            high = int(self._tids[self._rising[place]]) if following else None
            fitted, low = number, _between(low, high, self._survey.others.get(number, ()))
            self._tids[number] = low


def _between(low: int, high: int | None, known: Sequence[int]) -> int:
    fitting = [tid for tid in known if low < tid and (high is None or tid < high)]
    if fitting:
        # Where nothing is before it or after it, the one of a time that is nearer to what is; else
        # nothing tells which of the two is wrong, but blobs are named after the record's.
        times = [tid >> MINUTE for tid in fitting]
        wanted = max(times) if not low else min(times) if high is None else times[-1]
        return next(tid for tid in reversed(fitting) if tid >> MINUTE == wanted)
    if not low and high is not None:
        return max(high - 1, 1)
    # Without room it becomes a part of the one before.
    return low + 1 if high is None or low + 1 < high else low


def _in_order(tids: Tids) -> bool:
    return bool((tids[1:] > tids[:-1]).all())


def longest_rise(tids: Tids) -> Numbers:
    """Return the places of the longest part that only goes up."""
    if _in_order(tids):
        return np.arange(len(tids))
    ends: list[int] = []  # of a rise of each length, the lowest last id
    places: list[int] = []
    before = array("q", bytes(8 * len(tids)))
    for place, tid in enumerate(tids.tolist()):
        length = bisect_left(ends, tid)
        before[place] = places[length - 1] if length else -1
        if length == len(ends):
            ends.append(tid)
            places.append(place)
        else:
            ends[length], places[length] = tid, place
    found, place = [], places[-1]
    while place >= 0:
        found.append(place)
        place = before[place]
    return np.array(found[::-1])
