"""Records that begin alike are summed up at once; each counts as it would alone."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.storage.filestorage import class_bytes
from zope_exporter.storage.filestorage.class_bytes import ClassBytes
from zope_exporter.storage.filestorage.class_names import OTHER, class_name

CLASS_PARTS = [
    b"\x80\x03cproducts.news\nItem\nq\x01.",
    b"(cproducts.news\nItem\nNt.",
    b"\x80\x03cproducts.news\nItems\nq\x01.",
    b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x03a.b\x8c\x01C\x93.",
    b"\x80\x03c" + b"long." * 11 + b"\nName\n.",
    b"\x80\x03c" + b"long." * 20 + b"\nName\n.",
    b"\n\n",
    b"c\n\n",
    b"",
]
RECORDS = st.builds(
    bytes.__add__, st.sampled_from(CLASS_PARTS), st.binary(max_size=90)
) | st.binary(min_size=1, max_size=90)


def add(sums: ClassBytes, records: list[bytes]) -> list[int]:
    ends = np.cumsum([len(record) for record in records]).astype(np.int64)
    sizes = np.array([len(record) for record in records], np.int64)
    data = np.frombuffer(b"".join(records), np.uint8)
    return sums.add(data, ends - sizes, ends, sizes)


@given(st.lists(st.lists(RECORDS.filter(len), min_size=1, max_size=12), min_size=1, max_size=4))
def test_as_if_each_was_looked_at_alone(windows: list[list[bytes]]) -> None:
    sums, expected = ClassBytes(), Counter[str]()
    for records in windows:
        names = [class_name(record) for record in records]
        for name, record in zip(names, records, strict=True):
            expected[name or OTHER] += len(record)
        assert add(sums, records) == [row for row, name in enumerate(names) if name is None]
        sums.take()
    assert dict(sums.sums) == dict(expected)


def test_what_was_added_and_not_taken_does_not_count() -> None:
    sums = ClassBytes()
    add(sums, [CLASS_PARTS[0]] * 5)
    assert not sums.sums
    sums.take()
    sums.take()
    assert sums.sums == {"products.news.Item": 5 * len(CLASS_PARTS[0])}


def test_more_classes_than_are_told_apart() -> None:
    sums, most = ClassBytes(), class_bytes.MOST_CLASSES
    records = [b"\x80\x03cm\nC%05d\nq\x01." % number for number in range(most + 100)]
    for _ in range(2):
        assert add(sums, records) == []
    sums.take()
    assert len(sums.sums) == most + 1
    assert sums.sums[OTHER] == 2 * 100 * len(records[0])
    assert sums.sums["m.C00007"] == 2 * len(records[0])
