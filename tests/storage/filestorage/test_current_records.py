"""Which record of each object is the current one, whatever their numbers are."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.storage.filestorage import file_order
from zope_exporter.storage.filestorage.current_records import CurrentRecords
from zope_exporter.storage.filestorage.file_order import order_of, up_to
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.storage.filestorage.scan_memory import ScanMemory

NUMBERS = st.integers(0, 40) | st.integers((1 << 32) - 3, (1 << 32) + 3) | st.integers(0, 1 << 60)
RECORDS = st.tuples(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 1 << 31))


@given(st.lists(st.lists(RECORDS, max_size=20), max_size=8))
def test_the_last_record_of_each_object_is_its_current_one(
    merges: list[list[tuple[int, int, int, int]]],
) -> None:
    current, expected = CurrentRecords(), {}
    for records in merges:
        for oid, *others in records:
            current.added.extend((oid, *others))
            expected[oid] = (oid, *others)
        current.merge()
    found = zip(*(column.tolist() for column in vars(current.columns).values()), strict=True)
    assert list(found) == [expected[oid] for oid in sorted(expected)]


@given(st.lists(NUMBERS, max_size=60), st.integers(1, 70))
def test_rows_come_by_their_numbers(values: list[int], rows: int) -> None:
    column, steps, ended = np.array(values, np.uint64), 0, False
    sorting = order_of(column, ScanMemory(), rows)
    while not ended:
        try:
            next(sorting)
            steps += 1
        except StopIteration as end:  # noqa: PERF203 - this is how a generator returns
            order, ended = end.value, True
    assert column[order].tolist() == sorted(values)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert steps or len(values) <= rows
    if values:
        most = values[len(values) // 2]
        assert up_to(column, order, 0, most) == sum(value <= most for value in values)


def test_parts_are_all_of_a_column() -> None:
    assert [*file_order.parts(7, 3)] == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert [*file_order.parts(0)] == []


def test_a_file_and_a_record_of_more_than_4_gib(tmp_path: Path) -> None:
    path, length = tmp_path / "Data.fs", 5 << 30
    whole = 23 + 42 + length
    record = b"".join(
        number.to_bytes(size, "big")
        for number, size in [(7, 8), (1 << 56, 8), (0, 8), (4, 8), (0, 2), (length, 8)]
    )
    header = (1 << 56).to_bytes(8, "big") + whole.to_bytes(8, "big") + b" " + bytes(6)
    second = (1 << 57).to_bytes(8, "big") + (23 + 42 + 10).to_bytes(8, "big") + b" " + bytes(6)
    start = 4 + whole + 8
    after = b"".join(
        number.to_bytes(size, "big")
        for number, size in [(8, 8), (1 << 57, 8), (0, 8), (start, 8), (0, 2), (10, 8)]
    )
    with path.open("wb") as file:
        file.write(b"FS30" + header + record)
        file.seek(4 + whole)
        file.write(whole.to_bytes(8, "big"))
        file.write(second + after + b"0123456789" + (23 + 42 + 10).to_bytes(8, "big"))
    columns = walk(path).columns
    assert columns.oids.tolist() == [7, 8]
    assert columns.sizes.tolist() == [42 + length, 42 + 10]
    assert columns.data.tolist() == [4 + 23 + 42, start + 23 + 42]
