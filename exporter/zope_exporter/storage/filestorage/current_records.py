"""The current record of every object: which of all its records a pack keeps."""

from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint32]


@dataclass
class Columns:
    """One row an object, sorted by id: 28 bytes each.

    `data` is where its data begins, 0 for none, `sizes` what its record takes after a pack, 0 if it
    has no current record, and `transactions` the number of the record's transaction in the file.
    """

    oids: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    data: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    sizes: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))
    transactions: Places = field(default_factory=lambda: np.zeros(0, np.uint32))


class Current:
    """Collects records in the order of the file; the last one of an object is its current one.

    What is `added` is four numbers a record, as the four columns have them.
    """

    def __init__(self, columns: Columns | None = None) -> None:
        self.columns = columns or Columns()
        self.added = array("Q")

    def merge(self) -> None:
        """Let what was added since the last time replace the older records of the same objects."""
        if not self.added:
            return
        added = np.frombuffer(self.added, np.uint64).reshape(-1, 4)
        old, self.columns, self.added = self.columns, Columns(), array("Q")
        oids = np.concatenate([old.oids, added[:, 0]])
        order = np.argsort(oids, kind="stable")
        ordered = oids[order]
        is_last = np.ones(len(order), bool)
        is_last[:-1] = ordered[1:] != ordered[:-1]
        order = order[is_last]
        self.columns = Columns(
            oids[order],
            np.concatenate([old.data, added[:, 1]])[order],
            np.concatenate([old.sizes, added[:, 2]])[order],
            np.concatenate([old.transactions, added[:, 3].astype(np.uint32)])[order],
        )
