from collections import Counter

import pytest
from apachelogs import InvalidEntryError, LogParser
from hypothesis import given, settings
from hypothesis import strategies as st

from zope_exporter.logs.access.apache_format import ApacheFormat
from zope_exporter.logs.access.durations import Durations
from zope_exporter.logs.access.requests import RequestCounts

DATE = "[22/Nov/2026:10:37:52 +0000]"
OWN = r"%t %a \"%r\" %>s %B %D \"%{Referer}i\""
LINE = f'{DATE} 192.0.2.1 "GET /?a=\\"b\\" HTTP/1.1" 200 17 1234 "-"'.encode()


def counted(form: str, *lines: bytes) -> RequestCounts:
    """All but the durations, which have tests of their own."""
    counts = RequestCounts()
    for line in lines:
        counts.add(ApacheFormat(form).read_line(line))
    counts.durations = Durations()
    return counts


@pytest.mark.parametrize(
    ("form", "line", "method", "code", "size"),
    [
        (OWN, LINE.decode(), "GET", 200, 17),
        ("%m %U%q %s %b", "POST /x?y 302 -", "POST", 302, 0),
        (
            "%{%Y-%m-%dT%H:%M:%S}t %r %>s %O",
            "2026-11-22T10:37:52 PUT / HTTP/1.1 201 5",
            "PUT",
            201,
            5,
        ),
        ("%<s %>s %r %B", "401 200 GET / HTTP/1.1 9", "GET", 200, 9),
        ("%h\\t%r\\t%>s", "::1\tBREW / HTCPCP/1.0\t418", "other", 418, 0),
        ("%r %>s %b %%", "- 408 - %", "other", 408, 0),
        ("für %h: %r %>s", "für ::1: GET / 200", "GET", 200, 0),
    ],
)
def test_lines_of_a_format(form: str, line: str, method: str, code: int, size: int) -> None:
    for ending in (b"", b"\r"):
        assert counted(form, line.encode() + ending) == RequestCounts(
            Counter({(method, code): 1}), size
        )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\x00",
        LINE[:-1],
        LINE + b" more",
        LINE.replace(b"200", b"2x0"),
        LINE.replace(b"200", b"999"),
        LINE.replace(b" 17", b" -5"),
        LINE.replace(b" 17", b" " + b"9" * 20),
        LINE.replace(b"GET", b"\xe9"),
    ],
)
def test_other_lines_are_unparsed_and_the_next_is_counted(line: bytes) -> None:
    assert counted(OWN, line, LINE) == RequestCounts(Counter({("GET", 200): 1}), 17, unparsed=1)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("%h %Z %r %s", "not understood: Unknown log format directive: '%Z'"),
        ("100% %r %s", "not understood: Invalid log format directive at index 3"),
        ("%h %>s %b", "has no %r"),
        ("%h %r %b", "has no %>s"),
        ("combined", "has no %r"),
    ],
)
def test_a_format_that_cannot_be_used_is_refused_with_the_reason(form: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ApacheFormat(form)


PIECES = st.sampled_from(
    ["GET ", '"', '\\"', "\\\\", " ", "-", "200", "17", "\\x16", "\\n", "/", "é", "\t", DATE, "1"]
)


@given(st.lists(st.lists(PIECES, max_size=10).map("".join), min_size=4, max_size=4))
@settings(max_examples=300, deadline=None)
def test_lines_are_judged_as_the_library_judges_them(parts: list[str]) -> None:
    line = f'{parts[0]}{DATE} 192.0.2.1 "{parts[1]}" 200 17{parts[2]} 12 "{parts[3]}"'
    parser = LogParser(OWN.replace("\\", ""))
    try:
        parser.parse(line)
        parsed = 1
    except InvalidEntryError:
        parsed = 0
    counts = counted(OWN, line.encode("latin-1"), LINE)
    assert sum(counts.requests.values()) == parsed + 1
    assert counts.unparsed == 1 - parsed


def test_no_line_costs_more_than_its_length_allows() -> None:
    """The library's own matcher would take longer than the universe has lasted for the first."""
    lines = [
        LINE.replace(b"GET", b"\\x16" * 50_000)[:-1],
        LINE.replace(b"GET", b" " * 300_000)[:-1],
        DATE.encode() + b" " * 300_000,
    ]
    assert counted(OWN, *lines, LINE) == RequestCounts(Counter({("GET", 200): 1}), 17, unparsed=3)
