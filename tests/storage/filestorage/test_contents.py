import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ZODB._compat import dumps
from ZODB.utils import get_pickle_metadata

from zope_exporter.storage.filestorage.class_names import LONGEST_CLASS_PART, class_name

GLOBAL = b"cproducts.news\nItem\n"
STATE = b"\x80\x03}q\x01."


class Item:
    """A class that a pickle can name."""


@pytest.mark.parametrize(
    "class_part",
    [
        GLOBAL + b".",
        GLOBAL + b"q\x01.",
        b"\x80\x02" + GLOBAL + b"q\x01.",
        b"\x80\x03" + GLOBAL + b"q\x01.",
        b"(" + GLOBAL + b"q\x01Ntq\x02.",
        b"\x80\x03(" + GLOBAL + b"q\x01K\x01tq\x02.",
        b"((U\rproducts.newsq\x01U\x04Itemq\x02tq\x03Nt.",
        b"\x80\x03((X\r\0\0\0products.newsq\x01X\x04\0\0\0Itemr\x02\0\0\0tq\x03Nt.",
        b"((T\r\0\0\0products.newsT\x04\0\0\0Itemt.",
        b"\x80\x03((C\rproducts.newsC\x04ItemtNt.",
        b"\x80\x04\x95\x18\0\0\0\0\0\0\0\x8c\rproducts.news\x94\x8c\x04Item\x94\x93\x94.",
        b"\x80\x05(\x8c\rproducts.news\x94\x8c\x04Item\x94\x93\x94Nt.",
    ],
)
def test_ways_to_name_a_class(class_part: bytes) -> None:
    assert class_name(class_part + STATE) == "products.news.Item"


@pytest.mark.parametrize("protocol", range(6))
def test_what_python_writes(protocol: int) -> None:
    data = pickle.dumps(Item, protocol) + pickle.dumps({}, protocol)
    assert class_name(data) == f"{Item.__module__}.Item"


def test_agrees_with_zodb() -> None:
    data = dumps(Item) + dumps({})
    assert class_name(data) == ".".join(get_pickle_metadata(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80",
        b"\x80\x03",
        b"c",
        b"cproducts.news",
        b"cproducts.news\nItem",
        b"c\n\n.",
        b"c" + b"m" * 2000 + b"\nItem\n.",
        b"U\xffshort",
        b"X\xff\xff\xff\xffshort",
        b"\x80\x03K\x01.",
        b"((((((",
        b"\x80\x04\x95",
    ],
)
def test_anything_else_has_no_name(data: bytes) -> None:
    assert class_name(data) is None


def test_name_in_any_bytes() -> None:
    assert class_name(b"cm\xffd\nN\xc3\xa4me\n.") == "m\ufffdd.Näme"


@given(data=st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"\x80\x03(c" + rest))
def test_any_bytes_give_a_name_or_none(data: bytes) -> None:
    name: Any = class_name(data)
    assert name is None or "." in name
    assert class_name(data + bytes(LONGEST_CLASS_PART)) is not None or name is None
