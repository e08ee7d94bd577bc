"""Which objects refer to which, by the look of their bytes, and what cannot be reached.

A reference is an object id in a pickle: opcode, the length 8, and 8 bytes. Data may look like one
by chance, so that an object may be taken for reachable that is not, but not the other way round;
`of_record` looks more closely. No pickle is run.
"""

import re
from array import array
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from .current_records import Numbers, Places, Rows

SHORT_BINBYTES = ord("C")
SHORT_BINSTRING = ord("U")  # Python 2
OID_LENGTH = 8
REFERENCE_LENGTH = 2 + OID_LENGTH
PUT = rb"(?:q.|r.{4}|\x94)?"
# An id, alone or in a tuple with its class; neither a weak reference nor one to another database.
REFERENCE = re.compile(
    rb"[CU]\x08(.{8})" + PUT + rb"(?:Q|(?:c[^\n]+\n[^\n]+\n" + PUT + rb"|h.|j.{4})[\x86t]"
    + PUT + rb"Q)",
    re.DOTALL,
)  # fmt: skip


class References:
    """Collects references between rows of a sorted column of object ids, at 8 bytes each."""

    def __init__(self, oids: Numbers) -> None:
        self._oids = oids
        self.sources = array("I")
        self.targets = array("I")

    def find(self, data: npt.NDArray[np.uint8], starts: Rows, ends: Rows, rows: Places) -> None:
        """Note what the records in `data` refer to: each from a start to an end, with its row."""
        if len(data) < REFERENCE_LENGTH or not len(self._oids):
            return
        at = np.flatnonzero(data[1 : len(data) - OID_LENGTH] == OID_LENGTH)
        opcodes = data[at]
        at = at[(opcodes == SHORT_BINBYTES) | (opcodes == SHORT_BINSTRING)]
        records = np.searchsorted(starts, at, "right") - 1
        inside = (records >= 0) & (at + REFERENCE_LENGTH <= ends[records])
        at, records = at[inside], records[inside]
        oids = data[at[:, None] + np.arange(2, REFERENCE_LENGTH)].view(">u8")[:, 0]
        targets = np.searchsorted(self._oids, oids.astype(np.uint64))
        targets[targets == len(self._oids)] = 0
        existing = self._oids[targets] == oids
        self.sources.frombytes(rows[records[existing]].tobytes())
        self.targets.frombytes(targets[existing].astype(np.uint32).tobytes())
        self.unknown(rows[records[~existing]], oids[~existing].astype(np.uint64))

    def unknown(self, rows: Places, oids: Numbers) -> None:
        """Take what looks like references to objects that are not there; most is other data."""

    def reachable(self, root: int) -> Generator[None, None, npt.NDArray[np.bool_]]:
        """Find which rows can be reached from a row, giving way after each step."""
        sources = np.frombuffer(self.sources, np.uint32)
        targets = np.frombuffer(self.targets, np.uint32)[np.argsort(sources, kind="stable")]
        counts = np.bincount(sources, minlength=len(self._oids))
        ends = np.cumsum(counts)
        found = np.zeros(len(self._oids), bool)
        found[root] = True
        numbers = np.zeros(len(self._oids), np.int64)
        newest = np.array([root])
        while len(newest):
            yield
            lengths = counts[newest]
            places = np.arange(lengths.sum()) + np.repeat(
                ends[newest] - np.cumsum(lengths), lengths
            )
            reached = targets[places]
            reached = reached[~found[reached]]
            # Of several references to one object the last keeps its number.
            numbers[reached] = np.arange(len(reached))
            newest = reached[numbers[reached] == np.arange(len(reached))]
            found[newest] = True
        return found


def of_record(data: bytes) -> set[int]:
    """Return what a record refers to by what nothing but a reference to an object looks like."""
    return {int.from_bytes(match[1], "big") for match in REFERENCE.finditer(data)}
