"""The block reader against the rule for one line, and both against a slow oracle."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.logs.access_logs import HOSTILE, common_lines, hostile_lines, zope_lines
from tests.support.logs.access_oracle import read_log
from zope_exporter.logs.access.clf import count, read_line
from zope_exporter.logs.access.requests import Request, RequestCounts

DATE = b"[22/Nov/2026:10:37:52 +0000]"
SENTINEL = b"::1 - - " + DATE + b' "GET /sentinel HTTP/1.1" 299 7'

# What tells one reading of a line from another, in any order.
SCRAPS = st.sampled_from(
    [
        *(
            b'"',
            b'" ',
            b' "',
            b"\\",
            b"\\\\",
            b" ",
            b"-",
            b"\r",
            b"\x00",
            b"\xff",
            b"[",
            b"]",
            b"/",
        ),
        *(b"GET ", b"POST /x", b"HEAD", b"PUT / HTTP/1.1", b"get", b"PROPFIND "),
        *(b'" 200 17', b'" 304 -', b'" 500 1 "', b" 404 ", b"12345678", b"0", b"9" * 19, b"600"),
        *(DATE, DATE + b' "', b"[1/Nov/2026:10:37:52 +0000]", b"[22/Nov/2026:10:37:52 +000] "),
        "[22/M\u00e4rz/2026:10:37:52 -0330] ".encode(),
    ]
)
PIECES = st.one_of(SCRAPS, st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")))
LINES = st.lists(PIECES, max_size=12).map(b"".join)
NEARLY = st.tuples(LINES, LINES, LINES, LINES).map(
    lambda part: part[0] + DATE + b' "' + part[1] + b'" 200' + part[2] + b' "' + part[3]
)


def counted(lines: list[bytes]) -> RequestCounts:
    counts = RequestCounts()
    count(b"".join(line + b"\n" for line in lines), counts)
    return counts


def expected(lines: list[bytes]) -> RequestCounts:
    found = read_log(lines)
    return RequestCounts(found.requests, found.response_bytes, found.unparsed)


@given(st.lists(st.one_of(LINES, NEARLY, st.sampled_from(HOSTILE[:-2])), max_size=20))
@settings(max_examples=600, deadline=None)
@example([SENTINEL])
@example([])
def test_a_block_is_read_like_its_lines_and_the_line_after_is_counted(lines: list[bytes]) -> None:
    counts = counted([*lines, SENTINEL])
    one_by_one = RequestCounts()
    for line in [*lines, SENTINEL]:
        one_by_one.add(read_line(line))
    assert counts == one_by_one == expected([*lines, SENTINEL])
    assert sum(counts.requests.values()) + counts.unparsed == len(lines) + 1
    assert counts.requests["GET", 299] >= 1


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_one_changed_byte_is_judged_alike_everywhere(data: st.DataObject) -> None:
    line = bytearray(b"192.0.2.1 - - " + DATE + b' "GET / HTTP/1.1" 200 1234567 "-" "x"')
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] = data.draw(st.sampled_from([n for n in range(256) if n != ord("\n")]))
    lines = [SENTINEL, bytes(line), SENTINEL]
    assert counted(lines) == expected(lines)


@pytest.mark.parametrize("make", [common_lines, zope_lines, hostile_lines])
def test_logs_as_servers_write_them(make: Callable[[int], Iterator[bytes]]) -> None:
    lines = list(islice(make(7), 20_000))
    counts = counted(lines)
    assert counts == expected(lines)
    assert counts.requests["GET", 200] > 5000


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:60]))
def test_each_hostile_line_alone_and_among_others(line: bytes) -> None:
    for lines in ([line], [line, SENTINEL], [SENTINEL, line], [SENTINEL, line, SENTINEL, line]):
        assert counted(lines) == expected(lines)


def test_no_line_costs_more_than_its_length_allows() -> None:
    """A reader that tries again and again would take hours for these."""
    many = 300_000
    lines = [
        DATE + b' "' + b"\\" * many,
        DATE + b' "' + b'"' * many,
        DATE + b' "' + b'\\" 200 1 ' * (many // 10),
        (DATE + b' "') * (many // 30),
        b"[11/" * (many // 4) + b'""',
        DATE + b' "x" 200 ' + b"1" * many + b"x",
        b" " * many + b'""',
    ]
    assert counted(lines) == RequestCounts(unparsed=len(lines))


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'GET / HTTP/1.1" 200 17 "-" "evil " 500 1 "x"', Request("GET", 200, 17)),
        (b'GET /?a="b"%20c HTTP/1.1" 200 17 "-" "-"', Request("GET", 200, 17)),
        (b'GET /?a=\\" 500 1 \\" HTTP/1.1" 200 17', Request("GET", 200, 17)),
        (b'GET /\\\\" 200 17', Request("GET", 200, 17)),
        (b'PROPFIND / HTTP/1.1" 207 17', Request("PROPFIND", 207, 17)),
        (b'PROPFINDER / HTTP/1.1" 207 17', Request("other", 207, 17)),
        (b'-" 408 -', Request("other", 408, 0)),
        (b'GET / HTTP/1.1" 304 -\r', Request("GET", 304, 0)),
        (b'GET / HTTP/1.1" 200 99999999999', Request("GET", 200, 99999999999)),
        (b'GET / HTTP/1.1" 200 ' + b"9" * 5000, None),
        (b'GET / HTTP/1.1" 600 17', None),
        (b'GET / HTTP/1.1" 200', None),
    ],
)
def test_the_answer_is_the_first_that_can_be_one(line: bytes, request_: Request | None) -> None:
    whole = b"192.0.2.1, 10.0.0.1 - Anonymous " + DATE + b' "' + line
    assert read_line(whole) == request_
    kinds = Counter({request_[:2]: 1} if request_ else {})
    counts = RequestCounts(kinds, request_.size if request_ else 0, 0 if request_ else 1)
    assert counted([whole]) == counts


def test_a_second_date_is_not_tried() -> None:
    forged = b'GET /" - ' + DATE + b' "GET / HTTP/1.1" 500 1 "'
    assert read_line(b"::1 - - " + DATE + b' "' + forged) == Request("GET", 500, 1)
    assert read_line(b"::1 - - [22/Nov/2026] " + DATE + b" " + forged) == Request("GET", 500, 1)
    assert read_line(DATE + b' "cut off') is None
