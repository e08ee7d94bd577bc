"""Which objects refer to which, and what cannot be reached.

A reference is an object id in a pickle: opcode, the length 8, and 8 bytes. Most of them are told by
the few opcodes that come next, for a whole window at once; a record with anything else that looks
like an id, such as a weak reference, is gone through by `pickle_machine`. No pickle is run.
"""

from collections.abc import Collection, Generator

import numpy as np
import numpy.typing as npt

from .columns import Column, Unsigned, zeros
from .current_records import Numbers, Places, Rows
from .file_order import parts
from .pickle_machine import OID_LENGTH
from .scan_memory import ScanMemory

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

SHORT_BINBYTES = ord("C")
SHORT_BINSTRING = ord("U")  # Python 2
REFERENCE_LENGTH = 2 + OID_LENGTH
# From an id to its BINPERSID there are the class, as two lines, and some opcodes.
LONGEST_REFERENCE = REFERENCE_LENGTH + 4100
# Data of eight bytes that is no object id is hardly ever as small a number.
LARGEST_OID = 1 << 48
ROWS_A_STEP = 1 << 16
REFERENCES_A_STEP = 1 << 17

_PUTS = {ord("q"): 2, ord("r"): 5, 0x94: 1}
_GETS = {ord("h"): 2, ord("j"): 5}
_GLOBAL, _NEWLINE = ord("c"), ord("\n")
_TUPLES = (0x86, ord("t"))
_BINPERSID = ord("Q")


class References:
    """Collects the references of records, in the order in which they are read, at 4 bytes each.

    `order` says of which row each record is, in a sorted column of object ids, and `ends` where its
    `targets`, which are rows, end. `unsure` are the rows of which not all references are known, or
    where one leads to no object: a pack that comes to one of them ends with an error.
    """

    def __init__(self, oids: Unsigned, memory: ScanMemory | None = None) -> None:
        self.order: Places = np.zeros(0, np.uint32)
        self._oids = oids
        self._memory = memory or ScanMemory()
        self.ends = Column(self._memory)
        self.targets = Column(self._memory)
        self.unsure = Column(self._memory)
        self._new: list[tuple[Rows, Places]] = []  # records and targets that are not yet in order

    def find(
        self,
        data: Bytes,
        starts: Rows,
        ends: Rows,
        numbers: Rows,
        before: int | None = None,
    ) -> Rows:
        """Note what the records in `data` refer to: each from a start to an end, with its number.

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
        if before is None:
            # The length and beginning of a text may look like a reference, but to what?
            doubtful[records[~existing]] = True
        sure = ~doubtful[records]
        self._note(numbers[records[sure]], oids[sure], targets[sure], existing[sure])
        return np.flatnonzero(doubtful)

    def add(self, number: int, references: Collection[int]) -> None:
        """Note what one record refers to."""
        oids = np.array(sorted(references), np.uint64)
        self._note(np.full(len(oids), number), oids, *self._look_up(oids))

    def doubt(self, number: int) -> None:
        """Note that it is not known what one record refers to."""
        self.unsure.extend(self.order[number : number + 1])

    def take(self, records: int) -> None:
        """Keep what was found in that many records, the next ones in order."""
        done = len(self.ends)
        kept = len(self.targets)
        counts = np.zeros(records, np.int64)
        if self._new:
            numbers, targets = map(np.concatenate, zip(*self._new, strict=True))
            if np.any(numbers[1:] < numbers[:-1]):
                targets = targets[np.argsort(numbers, kind="stable")]
            counts += np.bincount(numbers - done, minlength=records)
            self.targets.extend(targets)
            self._new.clear()
        self.ends.extend((kept + np.cumsum(counts)).astype(np.uint64))

    def forget(self) -> None:
        """Drop what was found in records that are going to be read again."""
        self._new.clear()

    def unknown(self, rows: Places, oids: Numbers) -> None:
        """Take the references to objects that are not there."""

    def reachable(self, root: int) -> Generator[None, None, Flags]:
        """Find which rows can be reached from a row, giving way after each step."""
        found = zeros(self._memory, len(self._oids), bool)
        waiting = zeros(self._memory, len(self._oids), np.uint32)
        numbers = yield from self._numbers()
        targets = self.targets.values
        found[root], waiting[0], count = True, root, 1
        while count:
            yield
            rows = waiting[max(count - ROWS_A_STEP, 0) : count]
            begins, ends = self._edges(numbers[rows])
            # One record may hold as many references as thousands of others.
            totals = np.cumsum((ends - begins)[::-1])
            taken = max(int(np.searchsorted(totals, REFERENCES_A_STEP)), 1)
            reached = targets[_places(begins[-taken:], ends[-taken:])]
            reached = np.sort(reached[~found[reached]])
            is_first = np.ones(len(reached), bool)
            is_first[1:] = reached[1:] != reached[:-1]
            reached = reached[is_first]
            found[reached] = True
            count += len(reached) - taken
            waiting[count - len(reached) : count] = reached
        return found

    def _numbers(self) -> Generator[None, None, Places]:
        """Return the number of each row's record, one beyond the last for those without."""
        numbers = zeros(self._memory, len(self._oids), np.uint32)
        numbers[:] = len(self.order)
        for part in parts(len(self.order)):
            numbers[self.order[part]] = np.arange(part.start, part.stop)
            yield
        return numbers

    def _edges(self, numbers: Places) -> tuple[Rows, Rows]:
        """Return where the targets of some records begin, and where they end."""
        all_ends, none = self.ends.values, len(self.order)
        has_record = numbers < none
        begins, ends = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.int64)
        ends[has_record] = all_ends[numbers[has_record]]
        later = has_record & (numbers > 0)
        begins[later] = all_ends[numbers[later] - 1]
        return begins, ends

    def _look_up(self, oids: Numbers) -> tuple[Rows, Flags]:
        """Return the row of each object, and which of them are there."""
        # A column that has to be made wider to be compared is copied each time.
        targets = np.searchsorted(self._oids, oids.astype(self._oids.dtype))
        targets[targets == len(self._oids)] = 0
        return targets, self._oids[targets] == oids

    def _note(self, numbers: Rows, oids: Numbers, targets: Rows, existing: Flags) -> None:
        self._new.append((numbers[existing], targets[existing].astype(np.uint32)))
        if not existing.all():
            rows = self.order[numbers[~existing]]
            self.unsure.extend(np.unique(rows))
            self.unknown(rows, oids[~existing])


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
