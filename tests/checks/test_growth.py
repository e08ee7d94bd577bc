"""What stands out of what was written."""

import pytest

from zope_exporter.checks.growth import remarks
from zope_exporter.storage.filestorage.commits import ANONYMOUS, Commit
from zope_exporter.storage.filestorage.format import Transaction
from zope_exporter.storage.filestorage.growth import Growth


def growth(*commits: tuple[str, str, str], status: bytes = b" ") -> Growth:
    """Of transactions with one record of a class, a path and a user each."""
    found = Growth(("class", "view"))
    for number, (name, path, user) in enumerate(commits):
        transaction = Transaction(number + 1, status, 0, 62, 170)
        found.add(Commit(transaction, {name: [100, 1]}, user, path))
    return found


READS = [("m.Counter", f"/site/page{number}/counter", ANONYMOUS) for number in range(10)]
EDITS = [("m.Item", f"/site/page{number}/edit", "jane") for number in range(10)]


@pytest.mark.parametrize(
    ("commits", "said"),
    [
        ([("Products.Transience.Transience.TransientObject", "/", "jane")], "Sessions: 100 B."),
        ([*EDITS, ("BTrees.IIBTree.IIBTree", "/site/edit", "jane")], ""),
        ([*EDITS, *[("BTrees.IIBTree.IIBTree", "/site/edit", "jane")] * 5], "Indexes, as a"),
        ([*EDITS, *READS], "A write at a read, it seems: counter wrote 1.7 kB in 10 transactions"),
        ([*EDITS, *READS[:9]], ""),
        (EDITS, ""),
        ([], ""),
    ],
)
def test_what_is_said(commits: list[tuple[str, str, str]], said: str) -> None:
    told = list(remarks(growth(*commits)))
    assert bool(told) == bool(said)
    assert said in "".join(told)


def test_that_a_pack_has_removed_some_is_said() -> None:
    [told] = remarks(growth(*EDITS, status=b"p"))
    assert told.startswith("A pack has gone over 10 of the transactions")
