"""A record counts once per pattern that is found in one of its lines."""

import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.event_counts import matches
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS

START = b"2026-11-22 10:37:51 INFO [n:1][t] "


def found(patterns: dict[str, str], *records: str) -> dict[str, int]:
    counter = EventCounter(patterns=patterns)
    counter.feed(b"".join(START + record.encode() + b"\n" for record in records))
    return matches(counter)


def test_a_record_counts_once_however_often_the_pattern_is_found() -> None:
    assert found({"x": "x"}, "x x\nx", "y\nx\nx", "y") == {"x": 2}


def test_a_record_that_comes_line_by_line_counts_once() -> None:
    counter = EventCounter(patterns={"x": "x", "y": "y"})
    for line in (START + b"x\n", b"x y\n", b"y\n", START + b"x\n", START + b"\n", b"y\n"):
        counter.feed(line)
    assert matches(counter) == {"x": 2, "y": 2}


def test_patterns_overlap() -> None:
    assert found({"a": "one two", "b": "two three"}, "one two three") == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("regex", "count"),
    [
        ("one.*two", 0),
        (r"one\stwo", 0),
        ("one[^x]*two", 0),
        ("(?s)one.*two", 0),
        ("one\ntwo", 0),
        ("^two$", 1),
        ("^one", 0),
        ("(?i)TWO", 1),
        ("", 3),
        ("$", 3),
        ("^$", 1),
        (r"\bzwölf?\b", 1),
        ("^2026", 3),
    ],
)
def test_patterns_are_looked_for_line_by_line(regex: str, count: int) -> None:
    counts = found({"it": regex}, "one\ntwo", "none\n", "zwölf")
    assert counts.get("it", 0) == count


def test_any_bytes_may_be_around() -> None:
    counter = EventCounter(patterns={"it": "need[a-z]e"})
    counter.feed(START + b"\xff\x00needle\xfe\r\n" + b"\xc3\n")
    assert matches(counter) == {"it": 1}


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        ("(", "is not a regular expression of RE2: missing )"),
        ("a)(b", "is not a regular expression of RE2: unexpected )"),
        ("(?=x)", "is not a regular expression of RE2: invalid perl operator"),
        (r"(x)\1", r"is not a regular expression of RE2: invalid escape sequence: \1"),
        ("x{1001}", "is not a regular expression of RE2: invalid repetition size"),
        (r"\Qx", "is not a regular expression of RE2: missing )"),
        (r"\Ax", r"has \A, but is looked for line by line"),
        (r"x\z", r"has \z, but is looked for line by line"),
        (r"\\\C", r"has \C, but is looked for line by line"),
        ("(?i-m:^x)", "has (?i-m, but is looked for line by line"),
    ],
)
def test_what_is_no_pattern_is_refused_by_name(regex: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^pattern mine " + re.escape(reason)):
        EventCounter(patterns={"mine": regex})


def test_a_name_that_is_built_in_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^pattern POSKeyError is built in"):
        EventCounter(patterns={"POSKeyError": "x"})


def test_patterns_too_large_together_are_refused() -> None:
    large = {str(number): f"a.{{{900 + number}}}b" for number in range(20)}
    with pytest.raises(ValueError, match="too large together"):
        EventCounter(patterns=large)


LINES = st.lists(st.text("ab \xe4", max_size=6), min_size=1, max_size=4)
REGEX = st.sampled_from(
    ["a", "^a", "b$", "a.b", "a|b ", "(?i)B{2}", "", r"\bä", "[^a]b", "ä+ ", "^$", "^ *$"]
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=8), st.lists(REGEX, min_size=1, max_size=4), st.randoms())
def test_the_same_is_found_as_line_by_line(
    records: list[list[str]], regexes: list[str], random: Random
) -> None:
    patterns = {f"mine {number}": regex for number, regex in enumerate(regexes)}
    counter = EventCounter(patterns=patterns)
    lines: list[bytes] = []
    expected = dict.fromkeys(patterns, 0)
    for record in records:
        whole = [START.decode() + record[0], *record[1:]]
        lines += [line.encode() + b"\n" for line in whole]
        for name, regex in patterns.items():
            expected[name] += any(re.search(regex, line, re.ASCII) for line in whole)
    while lines:
        cut = random.randint(1, len(lines))
        counter.feed(b"".join(lines[:cut]))
        del lines[:cut]
    assert matches(counter) == {name: count for name, count in expected.items() if count}


def test_known_patterns_say_what_they_mean() -> None:
    names = [pattern.name for pattern in KNOWN_PATTERNS]
    assert len(set(names)) == len(names)
    for pattern in KNOWN_PATTERNS:
        assert re.fullmatch(r"[A-Z].*\.", pattern.meaning)
