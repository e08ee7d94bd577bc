"""Any event log is counted as it is line by line, in whatever blocks and with whatever restarts."""

import json
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.event_counts import matches, records, unparsed
from tests.support.logs.event_oracle import read_log
from tests.support.logs.event_samples import PLONE, RAISED, ZOPE2, ZOPE6
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS

LINES = st.sampled_from(
    [
        *ZOPE2.splitlines(),
        *ZOPE6.splitlines(),
        *PLONE.splitlines()[:2],
        *(RAISED % 1).splitlines(),
        *(RAISED % 2).splitlines(),
        *(RAISED % 1).splitlines(),
        b"2026-11-22T10:37:51 ERROR waitress Exception while serving /",
        b"",
        b"------",
        b"------",
        b"2026-11-22T10:37:51 INFO ZServer without a separator",
        b" 2026-11-22 10:37:51 INFO [Zope:42][MainThread] indented",
        b"2026-11-22 10:37:51 INFO",
    ]
)
NOISE = st.binary(max_size=30).map(lambda noise: noise.replace(b"\n", b""))
LOGS = st.lists(LINES | LINES | NOISE, max_size=40)
PATTERNS = {pattern.name: pattern.regex for pattern in KNOWN_PATTERNS}


def blocks_of(lines: list[bytes], cuts: set[int]) -> Iterator[bytes]:
    edges = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
    for begin, end in pairwise(edges):
        yield b"".join(line + b"\n" for line in lines[begin:end])


@settings(max_examples=500, deadline=None)
@given(LOGS, st.sets(st.integers(1, 40)), st.sets(st.integers(0, 40)))
def test_any_log_in_any_blocks_with_any_restarts(
    lines: list[bytes], cuts: set[int], restarts: set[int]
) -> None:
    counter = EventCounter()
    for number, block in enumerate(blocks_of(lines, cuts)):
        if number in restarts:
            state = json.loads(json.dumps(counter.save()))
            counter = EventCounter()
            counter.load(state)
        counter.feed(block)
    expected = read_log(lines, PATTERNS)
    assert records(counter) == dict(expected.records)
    assert matches(counter) == dict(expected.matches)
    assert unparsed(counter) == expected.unparsed


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_a_record_after_any_bytes_is_counted(chunks: list[bytes]) -> None:
    sentinel = b"2026-11-22 10:37:51 CRITICAL [sentinel:1][x] POSKeyError\n"
    counter = EventCounter()
    for chunk in chunks:
        counter.feed(chunk + b"\n")
        counter.feed(sentinel)
    assert records(counter).get("CRITICAL", 0) == len(chunks)
    assert matches(counter).get("POSKeyError", 0) == len(chunks)
