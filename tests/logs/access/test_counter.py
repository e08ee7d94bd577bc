import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.access_logs import HOSTILE, hostile_lines
from tests.support.logs.access_oracle import read_log
from zope_exporter.logs.access.counter import REQUESTS, RESPONSE_BYTES, AccessCounter
from zope_exporter.logs.tail.lines import JSON, UNPARSED_LINES, LineCounter
from zope_exporter.metrics.metric import Metric

GET = b'::1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 17\n'
REPORT = GET.replace(b"GET", b"REPORT").replace(b"200", b"507")
BIG = GET.replace(b"/ ", b"/" + b"x" * 700_000 + b" ")


def values(counter: AccessCounter) -> dict[Metric, dict[tuple[str, ...], float]]:
    """The samples that are not 0, by the labels beside site and log."""
    found: dict[Metric, dict[tuple[str, ...], float]] = {}
    for sample in counter.samples("intranet", "z1-access"):
        assert sample.labels[:2] == ("intranet", "z1-access")
        if sample.value:
            found.setdefault(sample.metric, {})[sample.labels[2:]] = sample.value
    return found


def test_requests_bytes_and_unparsed_lines_are_counted() -> None:
    counter: LineCounter = AccessCounter()
    assert isinstance(counter, AccessCounter)
    counter.feed(GET * 3 + b"rubbish\n" + REPORT)
    counter.feed(GET.replace(b"17", b"-"))
    counter.skip()
    assert values(counter) == {
        REQUESTS: {("GET", "200"): 4, ("other", "507"): 1},
        RESPONSE_BYTES: {(): 68},
        UNPARSED_LINES: {(): 2},
    }


def test_the_series_that_alerts_need_are_there_before_the_first_request() -> None:
    samples = list(AccessCounter().samples("intranet", "z1-access"))
    assert {sample.value for sample in samples} == {0}
    kinds = {sample.labels[2:] for sample in samples if sample.metric == REQUESTS}
    assert {("GET", "200"), ("GET", "500"), ("HEAD", "503"), ("POST", "500")} < kinds
    assert len(kinds) == len([sample for sample in samples if sample.metric == REQUESTS]) < 10
    assert {sample.metric for sample in samples} == set(AccessCounter().metrics)


def test_no_input_makes_more_series_than_there_are_methods_and_codes() -> None:
    counter = AccessCounter()
    for number in range(1000):
        counter.feed(REPORT.replace(b"REPORT", b"M%d" % number).replace(b"507", b"%03d" % number))
    kinds = values(counter)[REQUESTS]
    assert {method for method, _ in kinds} == {"other"}
    assert len(kinds) == 500
    assert values(counter)[UNPARSED_LINES] == {(): 500}


@given(st.integers(0, 2**32), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=25, deadline=None)
def test_blocks_of_any_size_give_the_same(seed: int, cuts: list[int]) -> None:
    lines = list(islice(hostile_lines(seed), 400))
    counter = AccessCounter()
    edges = sorted({0, *cuts, len(lines)})
    for start, end in pairwise(edges):
        counter.feed(b"".join(line + b"\n" for line in lines[start:end]))
    expected = read_log(lines)
    assert values(counter)[REQUESTS] == {
        (method, str(code)): n for (method, code), n in expected.requests.items()
    }
    assert values(counter)[RESPONSE_BYTES] == {(): expected.response_bytes}


@pytest.mark.parametrize("block", [GET * 40_000, BIG * 3, GET + BIG + GET, b"\n" * 3_000_000, b""])
def test_large_blocks_and_lines(block: bytes) -> None:
    counter = AccessCounter()
    counter.feed(block)
    counter.feed(GET)
    found = values(counter)
    assert found[REQUESTS] == {("GET", "200"): block.count(b"GET") + 1}
    empty = block.count(b"\n") - block.count(b"GET")
    assert found.get(UNPARSED_LINES, {(): 0}) == {(): empty}


def test_counting_goes_on_after_a_restart() -> None:
    first, second = AccessCounter(), AccessCounter()
    first.feed(GET * 2 + REPORT + b"rubbish\n")
    state = json.loads(json.dumps(first.save()))
    second.load(state)
    assert values(second) == values(first)
    second.feed(GET)
    assert values(second)[REQUESTS] == {("GET", "200"): 3, ("other", "507"): 1}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"requests": [], "response_bytes": 0, "unparsed": 0},
        {"requests": {"GET 200": -1}, "response_bytes": 0, "unparsed": 0},
        {"requests": {"GET 200": 1.5}, "response_bytes": 0, "unparsed": 0},
        {"requests": {"GET 200": True}, "response_bytes": 0, "unparsed": 0},
        {"requests": {"GET 700": 1}, "response_bytes": 0, "unparsed": 0},
        {"requests": {"BREW 200": 1}, "response_bytes": 0, "unparsed": 0},
        {"requests": {"GET": 1}, "response_bytes": 0, "unparsed": 0},
        {"requests": {}, "response_bytes": None, "unparsed": 0},
        {"requests": {}, "response_bytes": 0},
    ],
)
def test_foreign_state_is_refused_and_changes_nothing(state: Mapping[str, JSON]) -> None:
    counter = AccessCounter()
    counter.feed(GET)
    before = counter.save()
    with pytest.raises(ValueError, match=r"access log|invalid literal"):
        counter.load(state)
    assert counter.save() == before


@pytest.mark.parametrize(
    "form",
    [
        '%h %l %u %t "%r" %>s %b',
        r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
        '%v:%p %h %l %u %t "%r" %s %O',
    ],
)
def test_formats_that_hold_the_common_one_are_read_as_it_is(form: str) -> None:
    counter, plain = AccessCounter(form), AccessCounter()
    for each in (counter, plain):
        each.feed(b"".join(line + b"\n" for line in HOSTILE))
    assert counter.save() == plain.save()


def test_a_format_without_a_size_has_no_series_of_bytes() -> None:
    counter = AccessCounter("%h %m %s")
    counter.feed(b"::1 GET 200\n")
    assert values(counter) == {REQUESTS: {("GET", "200"): 1}}
    assert RESPONSE_BYTES not in counter.metrics
    assert RESPONSE_BYTES not in {sample.metric for sample in counter.samples("s", "l")}


def test_numpy_is_loaded_only_when_there_is_a_log_to_count() -> None:
    code = """
import sys
from zope_exporter.logs.access.counter import AccessCounter
assert "numpy" not in sys.modules
AccessCounter()
assert "numpy" in sys.modules and "apachelogs" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
