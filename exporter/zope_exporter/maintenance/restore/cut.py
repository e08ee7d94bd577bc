"""Where a history is to be cut off for the state of a moment: every commit is one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, PACKED, Transaction

BLOB_NAME = len("0x0123456789abcdef")


@dataclass(frozen=True)
class Cut:
    """The last transaction that is wanted, and where it ends in the Data.fs."""

    tid: int
    position: int

    def has(self, blob: str) -> bool:
        """Tell whether a blob, given by its path, was there then; what is no blob was."""
        name = Path(blob).name
        return not name.startswith("0x") or int(name[:BLOB_NAME], 16) <= self.tid


class PackedError(Exception):
    """The state of the moment is gone: a pack has since removed what was replaced before it."""


def find_cut(
    transactions: Iterable[Transaction], moment: int, before: Cut = Cut(0, FIRST_TRANSACTION)
) -> Cut:
    """Return where to cut off what is later than a moment; `before` is what comes first.

    Raises PackedError.
    """
    last = before
    for transaction in transactions:
        if transaction.tid > moment:
            # A pack marks all that it goes over, so that those marked are the first ones.
            if transaction.status == PACKED:
                raise PackedError
            break
        last = Cut(transaction.tid, transaction.end)
    return last
