"""What was written by whom, held against what ZODB itself reads."""

import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ZODB.FileStorage.FileStorage import FileIterator
from ZODB.utils import get_pickle_metadata

from tests.support.databases import datafs
from tests.support.databases.history import OPERATIONS, History, Operation, compressed, record
from tests.support.databases.written import Writer
from zope_exporter.storage.filestorage.commits import Commit, CommitReader, position_since
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, Transaction, tid_at
from zope_exporter.storage.filestorage.growth import By, Growth, Ranking, Row, growth_of
from zope_exporter.storage.filestorage.reader import DataFile

ALL: tuple[By, ...] = ("class", "path", "user", "view")
WHOLE = ALL[:3]  # of which all is something
NOW = 1_760_000_000.0
HOUR = 3600.0


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("growth")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with datafs.storage_at(path) as storage:
        yield Writer(storage)


def sums(growth: Growth, by: By) -> dict[str, tuple[int, ...]]:
    return {row.key: row[1:] for row in growth.rows(by)}


def of_zodb(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Bytes of records and their number by class, as ZODB reads them."""
    sizes, numbers = Counter[str](), Counter[str]()
    with closing(FileIterator(str(path))) as transactions:
        for transaction in transactions:
            for each in transaction:
                data, name = each.data, "other"
                if data:
                    plain = zlib.decompress(data[2:]) if data[:2] == b".z" else data
                    name = ".".join(get_pickle_metadata(plain))
                sizes[name] += 42 + (8 if each.data_txn or not data else len(data))
                numbers[name] += 1
    return sizes, numbers


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(OPERATIONS, max_size=25), compress=st.booleans())
def test_sums_are_all_that_the_file_holds(
    directory: Path, operations: list[Operation], compress: bool
) -> None:
    path = directory / "Data.fs"
    for left in directory.iterdir():
        left.unlink()
    with datafs.storage_at(path) as storage:
        history = History(storage, compress=compress)
        history.store([(0, 10, [1, 2, 3]), *((oid, 20 * oid, []) for oid in range(1, 10))])
        for operation in operations:
            history.do(operation)
    growth = growth_of(path, ALL, 1e9)
    sizes, numbers = of_zodb(path)
    assert growth.bytes == path.stat().st_size - FIRST_TRANSACTION
    assert growth.records == sum(numbers.values())
    for by in WHOLE:
        rows = growth.rows(by)
        assert sum(row.bytes for row in rows) == growth.bytes
        assert sum(row.records for row in rows) == growth.records
    overhead = growth.bytes - sum(sizes.values())
    classes = {row.key: (row.bytes, row.records) for row in growth.rows("class")}
    assert classes.pop("other") == (overhead + sizes.pop("other", 0), numbers.pop("other", 0))
    assert classes == {name: (sizes[name], numbers[name]) for name in sizes}


def test_who_has_written_what_and_where(path: Path, writer: Writer) -> None:
    item, page = record(500, [], "m Item"), record(900, [], "m Page")
    first = writer.commit(NOW, "/site/a/edit\n\nmore", "acl_users jane", [item, item, page])
    second = writer.commit(NOW + 1, "/site/b/view", " None", [page])
    third = writer.commit(NOW + 2, "", "", [compressed(page), item])
    growth = growth_of(path, ALL, 10)
    assert (growth.bytes, growth.transactions, growth.records) == (first + second + third, 3, 6)
    assert sums(growth, "path") == {
        "/site/a/edit": (first, 3, 1),
        "/site/b/view": (second, 1, 1),
        "(none)": (third, 2, 1),
    }
    assert sums(growth, "user") == {
        "acl_users jane": (first, 3, 1),
        "(anonymous)": (second, 1, 1),
        "(none)": (third, 2, 1),
    }
    assert sums(growth, "view") == {"view": (second, 1, 1)}
    classes = sums(growth, "class")
    assert classes["m.Item"] == (3 * (42 + len(item)), 3, 2)
    assert classes["m.Page"] == (3 * 42 + 2 * len(page) + len(compressed(page)), 3, 3)
    assert classes["other"][1:] == (0, 3)


def test_an_undo_is_of_the_class_that_it_brings_back(path: Path) -> None:
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(0, 500, [])])
        history.store([(0, 300, [])])
        history.undo([0])
    with opened(path) as descriptor:
        *_, undo = CommitReader().commits(DataFile(path, descriptor), FIRST_TRANSACTION, 0)
    assert undo.classes == {"products.news.Item": [50, 1]}


def test_only_what_is_of_the_time_asked_for(path: Path, writer: Writer) -> None:
    sizes = [
        writer.commit(NOW - hours * HOUR, f"/{hours}", "jane", [b"data"]) for hours in (9, 5, 2, 1)
    ]
    for span, expected in [(3 * HOUR, sizes[2:]), (0.5 * HOUR, []), (99 * HOUR, sizes)]:
        growth = growth_of(path, ("path",), span, NOW)
        assert growth.bytes == sum(expected)
        assert growth.last == tid_at(NOW - HOUR)
    assert growth_of(path, ("path",), 4.5 * HOUR).bytes == sum(sizes[1:])


def test_an_empty_file(path: Path) -> None:
    with datafs.storage_at(path):
        pass
    growth = growth_of(path, ALL, 1e9, NOW)
    assert (growth.bytes, growth.rows("class"), growth.first, growth.last) == (0, [], 0, 0)


def test_a_commit_under_way_and_a_torn_end_are_left_out(path: Path, writer: Writer) -> None:
    size = writer.commit(NOW, "/edit", "jane", [b"data"])
    transaction = datafs.vote(writer.storage, 1000)
    assert growth_of(path, ALL, HOUR).bytes == size
    writer.storage.tpc_abort(transaction)
    with path.open("ab") as file:
        file.write(b"torn" * 7)
    assert growth_of(path, ALL, HOUR).bytes == size


HOSTILE = [
    ("\x1b[2J/\x07evil", "\\x1b[2J/\\x07evil"),
    ("/\u202eliam", "/\\u202eliam"),
    ("/" + "x" * 60_000, "/" + "x" * 198 + "…"),
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("other", "other"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_names_are_short_and_printable(path: Path, writer: Writer, text: str, shown: str) -> None:
    name = f"m {text}".replace("\n", "")[:900]
    size = writer.commit(NOW, text, text, [record(10, [], name)])
    growth = growth_of(path, ALL, HOUR)
    for by in WHOLE[1:]:
        assert sums(growth, by) == {shown: (size, 1, 1)}
    [class_name] = {*sums(growth, "class")} - {"other"}
    assert class_name.isprintable()
    assert len(class_name) <= 200


def commit(number: int, size: int, name: str) -> Commit:
    transaction = Transaction(number + 1, b" ", 0, 62, size + 70)
    return Commit(transaction, {name: [size, 1]}, name, f"/{name}")


NAMES = st.sampled_from([*"abcdefghijkl", "other"])


@given(st.lists(st.tuples(NAMES, st.integers(50, 1000))), st.integers(1, 4), st.integers(0, 5))
def test_however_few_names_are_kept_nothing_is_lost(
    written: list[tuple[str, int]], most: int, shown: int
) -> None:
    growth = Growth(ALL, most)
    for number, (name, size) in enumerate(written):
        growth.add(commit(number, size, name))
    for by in WHOLE:
        rows = growth.rows(by, shown)
        assert sum(row.bytes for row in rows) == growth.bytes
        assert sum(row.records for row in rows) == growth.records == len(written)
        named = [row for row in rows if row.key != "other"]
        assert len(named) <= min(shown, 2 * most)
        assert named == sorted(named, key=lambda row: (-row.bytes, row.key))
        assert len(growth.rankings[by]) <= 2 * most


def test_who_writes_most_is_named_however_late_and_among_however_many() -> None:
    ranking = Ranking(10)
    for number in range(10_000):
        ranking.add(f"small {number}", 100, 1, 1)
        if number > 5000:
            ranking.add("large", 90, 1, 1)
    first, *_ = ranking.rows(3)
    assert first == Row("large", 90 * 4999, 4999, 4999)


def test_the_memory_is_that_of_the_names_kept() -> None:
    growth = Growth(ALL, 100)
    peaks = []
    tracemalloc.start()
    try:
        for number in range(20_000):
            growth.add(commit(number, 100, f"products.module{number}.Class{number}" * 3))
            if number in (1099, 19_999):
                peaks.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_as_many_classes_as_there_may_be_are_told_apart(path: Path, writer: Writer) -> None:
    data = [record(20, [], f"m{number} Class{number}") for number in range(10_500)]
    writer.commit(time.time(), "/import", "jane", data)
    growth = growth_of(path, ALL, HOUR)
    assert len(growth.rankings["class"]) == len(data)


def test_records_larger_than_what_is_read_at_once(path: Path, writer: Writer) -> None:
    data = [record(size, [], f"m C{size}") for size in (10, 1 << 20, 30, 3 << 20, 50, 1_048_500)]
    writer.commit(NOW, "/import", "jane", [*data, compressed(data[3])])
    for window in (64, 5000, 1 << 20):
        with opened(path) as descriptor:
            file = DataFile(path, descriptor, window)
            [found] = CommitReader().commits(file, FIRST_TRANSACTION, 0)
        assert {name: number for name, (_, number) in found.classes.items()} == {
            **{f"m.C{size}": 1 for size in (10, 1 << 20, 30, 50, 1_048_500)},
            f"m.C{3 << 20}": 2,
        }


def test_going_back_ends_where_asked(path: Path, writer: Writer) -> None:
    for number in range(5):
        writer.commit(NOW + number, "/edit", "jane", [b"data"])
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        every = [each.transaction for each in CommitReader().commits(file, FIRST_TRANSACTION, 0)]
        for number, transaction in enumerate(every):
            assert position_since(file, every[-1], transaction.tid)[0] == transaction.start
            after = every[number + 1].start if number < 4 else every[-1].end
            assert position_since(file, every[-1], transaction.tid + 1)[0] == after
