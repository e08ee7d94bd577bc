"""Whatever is damaged, `recover` saves at least what ZODB's own fsrecover saves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ZODB.FileStorage import FileIterator

from tests.support.databases import datafs
from tests.support.databases.damages import Damage, damages
from tests.support.databases.fsrecover import fsrecover
from tests.support.databases.history import History
from tests.support.databases.packing import make_database
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.recover.recover import salvage
from zope_exporter.storage.filestorage.datafile import NotAFileStorageError
from zope_exporter.storage.filestorage.full_count import walk

Revision = tuple[bytes, bytes, bytes | None]
ROUNDS = 4  # hundreds of files; tests/bench/beside_fsrecover.py makes more


@dataclass(frozen=True)
class Contents:
    """What is in a file: ids of transactions, and all revisions of objects."""

    tids: frozenset[bytes]
    revisions: Counter[Revision]
    data: Counter[tuple[bytes, bytes | None]]

    @classmethod
    def of(cls, path: Path) -> "Contents":
        tids, revisions = set(), []
        if path.exists() and path.stat().st_size:
            with closing(FileIterator(str(path))) as transactions:
                for transaction in transactions:
                    tids.add(bytes(transaction.tid))
                    revisions += [(bytes(one.tid), bytes(one.oid), one.data) for one in transaction]
        data = Counter((oid, data) for _, oid, data in revisions)
        return cls(frozenset(tids), Counter(revisions), data)

    def whole(self, truth: "Contents") -> int:
        """How many of the true transactions are there with all they have."""
        missing = {tid for tid, _, _ in truth.revisions - self.revisions}
        return len((truth.tids & self.tids) - missing)


def a_history(path: Path) -> None:
    """Several records a transaction, undone, deleted and without any."""
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(10):
            history.store([(number % 4, 200 + number, [0, 1]), (number % 3 + 5, 50, [2])])
            if number % 3 == 2:
                history.undo([0])
        history.delete(6)
        history.empty()
        history.pack(8, False)
        history.store([(0, 10, [1, 2, 3])])
        history.undo([0, 2])
        history.store([(number, 30 + number, [0]) for number in range(5)])


def single_records(path: Path) -> None:
    """One record a transaction, as most commits are."""
    with datafs.storage_at(path) as storage:
        history = History(storage)
        for number in range(24):
            history.store([(number % 7, 150 + number, [0])])


def a_database(path: Path) -> None:
    make_database(path, revisions=8, size=200)


BASES = (a_history, single_records, a_database)


def compared(theirs: Contents, ours: Contents, truth: Contents) -> str:
    """What is worse, nothing if nothing is."""
    if (theirs.revisions & truth.revisions) - ours.revisions:
        return f"revisions {list((theirs.revisions & truth.revisions) - ours.revisions)[:3]}"
    if (theirs.data & truth.data) - ours.data:
        return f"data {list((theirs.data & truth.data) - ours.data)[:3]}"
    if theirs.whole(truth) > ours.whole(truth):
        return f"transactions {theirs.whole(truth)} > {ours.whole(truth)}"
    return ""


def recovered(path: Path, target: Path) -> Contents:
    try:
        salvage(path, target, Silent())
    except NotAFileStorageError:
        return Contents(frozenset(), Counter(), Counter())
    walk(target)
    return Contents.of(target)


@dataclass
class Score:
    """What both kept of so many files."""

    files: int = 0
    better: int = 0
    worse: tuple[str, ...] = ()
    made_up: tuple[str, ...] = ()


def judged(original: Path, made: Sequence[Damage], score: Score) -> None:
    """Damage a file in each way, recover all of them twice, and count."""
    truth = Contents.of(original)
    pairs = []
    for number, damage in enumerate(made):
        path = original.with_name(f"{number}.fs")
        path.write_bytes(damage.content)
        pairs.append((path, original.with_name(f"{number}.theirs")))
    told = fsrecover(pairs)
    for (path, target), damage, how in zip(pairs, made, told, strict=True):
        theirs = Contents.of(target)
        ours = recovered(path, path.with_suffix(".ours"))
        score.files += 1
        worse = compared(theirs, ours, truth)
        if worse:
            score.worse += (f"{original}: {damage.what} ({how}): {worse}",)
        score.better += sum((ours.data & truth.data).values()) > sum(
            (theirs.data & truth.data).values()
        )
        if damage.faithful and ours.data - truth.data:
            score.made_up += (f"{original}: {damage.what}: {list(ours.data - truth.data)[:3]}",)
        for each in path.parent.glob(f"{path.stem}.*"):
            each.unlink()


def rounds(directory: Path, seeds: Sequence[int]) -> Iterator[tuple[Path, int]]:
    for base in BASES:
        path = directory / f"{base.__name__}.original"
        base(path)
        yield from ((path, seed) for seed in seeds)


def test_it_keeps_no_less_of_any_damaged_file(tmp_path: Path) -> None:
    score = Score()
    for path, seed in rounds(tmp_path, range(ROUNDS)):
        judged(path, list(damages(path.read_bytes(), seed)), score)
    assert not score.worse
    assert not score.made_up
    assert score.files > 300
    assert score.better > 50
