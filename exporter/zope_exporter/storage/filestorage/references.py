"""Which objects refer to which, and what cannot be reached.

A reference is an object id in a pickle: opcode, the length 8, and 8 bytes. Most of them are told by
the few opcodes that come next, for a whole window at once; a record with anything else that looks
like an id, such as a weak reference, is gone through by `pickle_machine`. No pickle is run.
"""

from array import array
from collections.abc import Collection, Generator

import numpy as np
import numpy.typing as npt

from .current_records import Numbers, Places, Rows
from .pickle_machine import OID_LENGTH

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

SHORT_BINBYTES = ord("C")
SHORT_BINSTRING = ord("U")  # Python 2
REFERENCE_LENGTH = 2 + OID_LENGTH
# From an id to its BINPERSID there are the class, as two lines, and some opcodes.
LONGEST_REFERENCE = REFERENCE_LENGTH + 4100
# Data of eight bytes that is no object id is hardly ever as small a number.
LARGEST_OID = 1 << 48
REFERENCES_A_STEP = 1 << 17

_PUTS = {ord("q"): 2, ord("r"): 5, 0x94: 1}
_GETS = {ord("h"): 2, ord("j"): 5}
_GLOBAL, _NEWLINE = ord("c"), ord("\n")
_TUPLES = (0x86, ord("t"))
_BINPERSID = ord("Q")


class References:
    """Collects references between rows of a sorted column of object ids, at 8 bytes each.

    `unsure` are the rows of which not all references are known, or where one leads to no object: a
    pack that comes to one of them ends with an error.
    """

    def __init__(self, oids: Numbers) -> None:
        self._oids = oids
        self.sources = array("I")
        self.targets = array("I")
        self.unsure = array("I")

    def find(
        self,
        data: Bytes,
        starts: Rows,
        ends: Rows,
        rows: Places,
        before: int | None = None,
    ) -> Rows:
        """Note what the records in `data` refer to: each from a start to an end, with its row.

        Return which of them have to be gone through; of those nothing is noted. References that
        do not begin `before` that place are passed over.
        """
        if len(data) < REFERENCE_LENGTH or not len(starts) or not len(self._oids):
            return np.zeros(0, np.int64)
        at, records = _candidates(data, starts, ends)
        if before is not None:
            at, records = at[at < before], records[at < before]
        oids = data[at[:, None] + np.arange(2, REFERENCE_LENGTH)].view(">u8")[:, 0]
        oids = oids.astype(np.uint64)
        targets, existing = self._look_up(oids)
        likely = existing | (oids < LARGEST_OID)
        if not likely.all():
            at, records, oids = at[likely], records[likely], oids[likely]
            targets, existing = targets[likely], existing[likely]
        doubtful = np.zeros(len(starts), bool)
        doubtful[records[~_are_strong(data, at + REFERENCE_LENGTH, ends[records])]] = True
        sure = ~doubtful[records]
        self._note(rows[records[sure]], oids[sure], targets[sure], existing[sure])
        return np.flatnonzero(doubtful)

    def add(self, row: int, references: Collection[int]) -> None:
        """Note what one record refers to."""
        oids = np.array(sorted(references), np.uint64)
        self._note(np.full(len(oids), row, np.uint32), oids, *self._look_up(oids))

    def unknown(self, rows: Places, oids: Numbers) -> None:
        """Take the references to objects that are not there."""

    def reachable(self, root: int) -> Generator[None, None, Flags]:
        """Find which rows can be reached from a row, giving way after each step."""
        targets, edges = yield from self._by_source()
        found = np.zeros(len(self._oids), bool)
        found[root] = True
        numbers = np.zeros(len(self._oids), np.uint32)
        newest = np.array([root], np.uint32)
        while len(newest):
            following = []
            for begin in range(0, len(newest), REFERENCES_A_STEP):
                yield
                rows = newest[begin : begin + REFERENCES_A_STEP].astype(np.int64)
                reached = targets[_places(edges[rows], edges[rows + 1])]
                reached = reached[~found[reached]]
                # Of several references to one object the last keeps its number.
                numbers[reached] = np.arange(len(reached))
                following.append(reached[numbers[reached] == np.arange(len(reached))])
                found[following[-1]] = True
            newest = np.concatenate(following)
        return found

    def _by_source(self) -> Generator[None, None, tuple[Places, Rows]]:
        """Return the targets in the order of their sources, and where those of each row begin.

        A part at a time is put where it belongs: to sort all at once takes more memory, and nobody
        else has a turn until it has ended.
        """
        sources = np.frombuffer(self.sources, np.uint32)
        targets = np.frombuffer(self.targets, np.uint32)
        parts = [
            slice(begin, begin + REFERENCES_A_STEP)
            for begin in range(0, len(sources), REFERENCES_A_STEP)
        ]
        edges = np.zeros(len(self._oids) + 1, np.int64)
        for part in parts:
            rows, counts = np.unique(sources[part], return_counts=True)
            edges[rows] += counts
            yield
        np.cumsum(edges, out=edges)  # where those of each row end; each part moves it to the front
        placed = np.zeros(len(targets), np.uint32)
        for part in parts:
            order = np.argsort(sources[part], kind="stable")
            ordered = sources[part][order]
            rows, firsts, counts = np.unique(ordered, return_index=True, return_counts=True)
            edges[rows] -= counts
            places = np.repeat(edges[rows] - firsts, counts) + np.arange(len(order))
            placed[places] = targets[part][order]
            yield
        return placed, edges

    def _look_up(self, oids: Numbers) -> tuple[Rows, Flags]:
        """Return the row of each object, and which of them are there."""
        targets = np.searchsorted(self._oids, oids)
        targets[targets == len(self._oids)] = 0
        return targets, self._oids[targets] == oids

    def _note(self, rows: Places, oids: Numbers, targets: Rows, existing: Flags) -> None:
        self.sources.frombytes(rows[existing].tobytes())
        self.targets.frombytes(targets[existing].astype(np.uint32).tobytes())
        if not existing.all():
            self.unsure.frombytes(np.unique(rows[~existing]).tobytes())
            self.unknown(rows[~existing], oids[~existing])


def _places(begins: Rows, ends: Rows) -> Rows:
    """Return the numbers of all these ranges, one range after the other."""
    lengths = ends - begins
    places: Rows = np.repeat(begins - np.cumsum(lengths) + lengths, lengths)
    places += np.arange(len(places))
    return places


def _candidates(data: Bytes, starts: Rows, ends: Rows) -> tuple[Rows, Rows]:
    """Return where what looks like an id begins, and in which record."""
    at = np.flatnonzero(data[1 : len(data) - OID_LENGTH] == OID_LENGTH)
    opcodes = data[at]
    at = at[(opcodes == SHORT_BINBYTES) | (opcodes == SHORT_BINSTRING)]
    records = np.searchsorted(starts, at, "right") - 1
    inside = (records >= 0) & (at + REFERENCE_LENGTH <= ends[records])
    return at[inside], records[inside]


def _are_strong(data: Bytes, at: Rows, ends: Rows) -> Flags:
    """Tell which ids end here that are references, alone or in a tuple with their class."""
    lengths = np.zeros(256, np.int64)
    for opcode, length in _PUTS.items():
        lengths[opcode] = length
    last = len(data) - 1
    at = at + lengths[data[np.minimum(at, last)]]
    opcodes = data[np.minimum(at, last)]
    alone = (opcodes == _BINPERSID) & (at < ends)
    after = _after_class(data, at, opcodes)
    tuples = data[np.minimum(after, last)]
    after += 1
    is_tuple = (after > at + 1) & ((tuples == _TUPLES[0]) | (tuples == _TUPLES[1]))
    after += lengths[data[np.minimum(after, last)]]
    strong = is_tuple & (after < ends) & (data[np.minimum(after, last)] == _BINPERSID)
    return np.asarray(alone | strong)


def _after_class(data: Bytes, at: Rows, opcodes: Bytes) -> Rows:
    """Return where a class ends that begins here; `at` itself where none does."""
    after = at.copy()
    for opcode, length in _GETS.items():
        after[opcodes == opcode] += length
    named = np.flatnonzero(opcodes == _GLOBAL)
    if len(named):
        newlines = np.flatnonzero(data == _NEWLINE)
        second = np.searchsorted(newlines, at[named]) + 1
        there = second < len(newlines)
        named, second = named[there], newlines[second[there]] + 1
        after[named] = second
        puts = data[np.minimum(second, len(data) - 1)]
        for opcode, length in _PUTS.items():
            after[named[puts == opcode]] += length
    return after
