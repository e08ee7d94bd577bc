"""How long requests took, by access logs of every format that tells it."""

import json
from bisect import bisect_left
from collections.abc import Mapping
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.access_logs import HOSTILE, hostile_lines
from zope_exporter.logs.access.counter import AccessCounter
from zope_exporter.logs.access.durations import BOUNDS, DURATION
from zope_exporter.logs.tail.lines import JSON
from zope_exporter.logs.tail.tail import Tail
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.native import NativeHistogram

GOLDEN = Path(__file__).with_name("golden")
COMMON = '::1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 17'
COMBINED = COMMON + ' "-" "Mozilla/5.0 (X11)"'
APACHE = '%h %l %u %t "%r" %>s %b'
HEADERS = ' "%{Referer}i" "%{User-agent}i"'
NGINX = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
GUNICORN = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
HAPROXY = (
    "192.0.2.1:1 [22/Nov/2026:10:37:52.123] front back/one 0/0/1/20/{} 200 17 - - ---- 1/1/0/0/0"
    ' 0/0 "GET / HTTP/1.1"'
)


def fed(form: str | None, *lines: str) -> AccessCounter:
    counter = AccessCounter(form)
    counter.feed("".join(f"{line}\n" for line in lines).encode())
    return counter


def told(counter: AccessCounter) -> dict[float | str, float]:
    """What the histogram says: the buckets that reach further than the one before, and the sum."""
    samples = [each for each in counter.samples("a", "b") if each.metric == DURATION]
    found: dict[float | str, float] = {}
    before = 0.0
    for sample in samples:
        if sample.bound is not None:
            if sample.value > before:
                found[sample.bound] = sample.value
            before = sample.value
        elif sample.suffix == "_sum":
            found["sum"] = round(sample.value, 6)
    return found


@pytest.mark.parametrize(
    ("form", "line", "seconds"),
    [
        (APACHE + " %D", COMMON + " 1500000", 1.5),
        (APACHE + " %{us}T", COMMON + " 1500000", 1.5),
        (APACHE + HEADERS + " %{ms}T", COMBINED + " 1500", 1.5),
        (APACHE + " %D" + HEADERS, COMMON + ' 1500000 "-" "-"', 1.5),
        (APACHE + HEADERS + " %T/%D", COMBINED + " 1/1500000", 1.5),
        ("%D " + APACHE, "1500000 " + COMMON, 1.5),
        ("%h %m %s %D", "::1 GET 200 1500000", 1.5),
        (NGINX + " $request_time", COMMON + " 1.500", 1.5),
        (NGINX + ' "$http_referer" "$http_user_agent" $request_time', COMBINED + " 1.500", 1.5),
        (
            '$host $request_method $status rt=${request_time} "$upstream_addr"',
            'a GET 200 rt=1.500 "1:1, 2:2"',
            1.5,
        ),
        (GUNICORN + " %(L)s", COMBINED + " 1.500000", 1.5),
        (GUNICORN + " %(D)s", COMBINED + " 1500000", 1.5),
        (GUNICORN + " %(M)s", COMBINED + " 1500", 1.5),
        ("%(h)s %({x-real-ip}i)s %(m)s %(s)s %(L)s %(p)s", "::1 1, 2 GET 200 1.500 <7>", 1.5),
        ("haproxy", HAPROXY.format("1500"), 1.5),
        (None, "Nov 22 10:37:52 lb haproxy[1]: " + HAPROXY.format("1500"), 1.5),
    ],
)
def test_each_format_that_has_it(form: str | None, line: str, seconds: float) -> None:
    counter = fed(form, line, line)
    assert told(counter) == {2.5: 2, "sum": 2 * seconds}
    assert counter.save()["requests"] == {"GET 200": 2}
    assert counter.save()["unparsed"] == 0


@pytest.mark.parametrize(
    "form", [APACHE + " %T", GUNICORN.removesuffix(' "%(f)s" "%(a)s"') + " %(T)s"]
)
def test_whole_seconds_are_in_a_bucket_that_they_surely_fit_in(form: str) -> None:
    """What took 0 of them took less than one; the sum takes the middle."""
    assert told(fed(form, COMMON + " 0", COMMON + " 2")) == {1.0: 1, 5.0: 2, "sum": 3.0}


@pytest.mark.parametrize("timer", ["-1", "+1500"])
def test_a_request_that_was_not_over_has_none(timer: str) -> None:
    counter = fed("haproxy", HAPROXY.format(timer))
    assert told(counter) == {"sum": 0}
    assert counter.save()["requests"] == {"GET 200": 1}


@pytest.mark.parametrize("form", [None, APACHE, NGINX, "%h %m %s"])
def test_without_one_there_is_no_histogram(form: str | None) -> None:
    counter = fed(form, COMMON)
    assert told(counter) == {}
    assert DURATION not in counter.metrics
    assert counter.save()["durations"] is None


@pytest.mark.parametrize("word", ["-", "", "x", "9" * 30, "1.2.3", "-5", "1e9", "1500000 more"])
@pytest.mark.parametrize(("form", "line"), [(APACHE, COMMON), (APACHE + HEADERS, COMBINED)])
def test_what_is_no_duration_costs_no_request(form: str, line: str, word: str) -> None:
    counter = fed(form + " %D", f"{line} {word}", line, line + " 1500000")
    assert told(counter) == {2.5: 1, "sum": 1.5}
    assert counter.save()["requests"] == {"GET 200": 3}


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.sampled_from(["-", "a b", 'q\\"', "é", "x" * 300]))
    ),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 40), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_the_histogram_is_that_of_the_durations(
    requests: list[tuple[int, str]], crlf: int, cuts: list[int]
) -> None:
    """Whatever is in the other fields, and wherever the blocks end."""
    lines = [f'{COMMON} "{agent}" {time}{chr(13) * crlf}\n' for time, agent in requests]
    counter = AccessCounter(APACHE + ' "%{User-agent}i" %D')
    edges = sorted({0, *(min(cut, len(lines)) for cut in cuts), len(lines)})
    for start, end in pairwise(edges):
        counter.feed("".join(lines[start:end]).encode("latin-1"))
    known = [time / 1e6 for time, _ in requests]
    counts = [0] * (len(BOUNDS) + 1)
    for seconds in known:
        counts[bisect_left(BOUNDS, seconds)] += 1
    saved = json.loads(json.dumps(counter.save()))
    assert saved["durations"]["counts"] == counts
    assert saved["durations"]["total"] == pytest.approx(sum(known))
    assert saved["requests"] == ({"GET 200": len(requests)} if requests else {})


def native(counter: AccessCounter) -> NativeHistogram:
    (found,) = [each.native for each in counter.samples("a", "b") if each.native is not None]
    return found


@given(st.lists(st.integers(0, 10**6) | st.integers(0, 10**15)))
@settings(max_examples=40, deadline=None)
def test_the_native_histogram_is_that_of_the_durations(times: list[int]) -> None:
    counter = fed(APACHE + " %D", *(f"{COMMON} {time}" for time in times))
    found, known = native(counter), [time / 1e6 for time in times]
    assert found.count == len(known)
    assert found.total == pytest.approx(sum(known))
    assert found.zero_count == sum(seconds <= found.zero_threshold for seconds in known)
    for index, count in found.buckets.items():
        start, end = (2 ** (i / 2**found.schema) for i in (index - 1, index))
        assert count == sum(max(start, found.zero_threshold) < each <= end for each in known) > 0


def test_the_native_histogram_is_fine_and_has_no_more_buckets_than_a_client_may() -> None:
    """As fine as 9 % for what a site may take; 160 of them are enough for any log."""
    usual = [1000 * 1.05**i for i in range(280)]  # microseconds, up to a quarter of an hour
    found = native(fed(APACHE + " %D", *(f"{COMMON} {time:.0f}" for time in usual)))
    assert (found.schema, len(found.buckets)) == (3, 158)
    any_time = [10 * 1.05**i for i in range(661)]  # up to the longest
    found = native(fed(APACHE + " %D", *(f"{COMMON} {time:.0f}" for time in any_time)))
    assert (found.schema, len(found.buckets)) == (2, 160)


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_requests_are_counted_as_without_it(seed: int) -> None:
    block = b"".join(line + b" 7000\n" for line in (*islice(hostile_lines(seed), 300), *HOSTILE))
    timed, plain = AccessCounter(APACHE + HEADERS + " %D"), AccessCounter(APACHE + HEADERS)
    for counter in (timed, plain):
        counter.feed(block)
    durations = timed.save()["durations"]
    assert isinstance(durations, dict)
    assert {**timed.save(), "durations": None} == plain.save()
    assert 100 < durations["counts"][bisect_left(BOUNDS, 0.007)] == sum(durations["counts"])


def test_counting_goes_on_after_a_kill(tmp_path: Path) -> None:
    """What was not saved is read again, in requests and durations alike."""
    path = tmp_path / "access.log"
    path.touch()
    form = APACHE + " %D"
    first = Tail(path, lambda: AccessCounter(form))
    first.look()
    path.write_text(f"{COMMON} 1500000\n")
    first.look()
    saved = json.loads(json.dumps(first.save()))
    with path.open("a") as stream:
        stream.write(f"{COMMON} 9000\n")
    first.look()
    first.close()
    second = Tail(path, lambda: AccessCounter(form))
    second.load(saved)
    second.look()
    second.close()
    assert isinstance(second.counter, AccessCounter)
    assert told(second.counter) == {0.01: 1, 2.5: 2, "sum": 1.509}
    assert second.counter.save() == first.counter.save()


def test_the_state_of_an_earlier_version_is_gone_on_with() -> None:
    counter = AccessCounter(APACHE + " %D")
    counter.load({"requests": {"GET 200": 5}, "response_bytes": 3, "unparsed": 0})
    assert told(counter) == {"sum": 0}
    assert counter.save()["requests"] == {"GET 200": 5}


def kept(native: JSON = None, **changes: JSON) -> JSON:
    """A state with one request, changed."""
    native = {"cells": {"0": 1}, "total": 0, "earlier_total": 0, **changes} if changes else native
    return {"counts": [1, *[0] * 14], "total": 0, "native": native}


def test_the_native_histogram_begins_where_an_earlier_version_had_none() -> None:
    """And its sum is that of what it counts."""
    counts = [0, 4, *[0] * 13]
    state: JSON = {"counts": list[JSON](counts), "total": 0.03}
    counter = AccessCounter(APACHE + " %D")
    counter.load({"requests": {}, "response_bytes": 0, "unparsed": 0, "durations": state})
    assert (native(counter).count, told(counter)) == (0, {0.01: 4, "sum": 0.03})
    counter.feed(f"{COMMON} 1500000\n".encode())
    assert (native(counter).count, native(counter).total) == (1, 1.5)
    assert told(counter) == {0.01: 4, 2.5: 5, "sum": 1.53}
    durations = counter.save()["durations"]
    assert isinstance(durations, Mapping)
    assert durations["counts"] == [0, 4, *[0] * 6, 1, *[0] * 6], "an earlier version goes on"


@given(st.lists(st.floats(0, 100)), st.lists(st.integers(0, 10**15)))
@settings(max_examples=30, deadline=None)
def test_no_histogram_goes_back_by_a_restart(earlier: list[float], times: list[int]) -> None:
    """Not by what a sum of other terms would be rounded to either."""
    state: JSON = {"counts": [len(earlier), *[0] * 14], "total": sum(earlier)}
    counter, after = AccessCounter(APACHE + " %D"), AccessCounter(APACHE + " %D")
    counter.load({"requests": {}, "response_bytes": 0, "unparsed": 0, "durations": state})
    counter.feed("".join(f"{COMMON} {time}\n" for time in times).encode())
    after.load(json.loads(json.dumps(counter.save())))
    assert list(after.samples("a", "b")) == list(counter.samples("a", "b"))
    assert after.save() == counter.save()


@pytest.mark.parametrize(
    "durations",
    [
        [],
        {},
        {"counts": [0] * 3, "total": 0},
        {"counts": [0.5] * 15, "total": 0},
        {"counts": [True] * 15, "total": 0},
        {"counts": [-1] * 15, "total": 0},
        {"counts": [0] * 15, "total": None},
        {"counts": [0] * 15, "total": -1},
        {"counts": [0] * 15, "total": float("inf")},
        {"counts": [0] * 15, "total": float("nan")},
        kept(native=[]),
        kept(native={}),
        kept(cells=None),
        kept(cells=[1]),
        kept(cells={"9999": 1}),
        kept(cells={"-1": 1}),
        kept(cells={"01": 1}),
        kept(cells={"0": -1}),
        kept(cells={"0": 0.5}),
        kept(cells={"0": True}),
        kept(cells={"0": 2}),  # of one request that is counted
        kept(total=None),
        kept(total=float("nan")),
        kept(earlier_total=-1),
    ],
)
def test_foreign_state_is_refused_and_changes_nothing(durations: JSON) -> None:
    counter = fed(APACHE + " %D", COMMON + " 1500000")
    before: Mapping[str, JSON] = counter.save()
    state: dict[str, JSON] = {
        "requests": {},
        "response_bytes": 0,
        "unparsed": 0,
        "durations": durations,
    }
    with pytest.raises(ValueError, match="durations of an access log"):
        counter.load(state)
    assert counter.save() == before


def test_golden_page() -> None:
    counter = fed(APACHE + " %D", COMMON + " 1500000", COMMON + " 9000", COMMON + " 300000000")
    samples = [
        each for each in counter.samples("intranet", "access.log") if each.metric == DURATION
    ]
    page, _ = encode(samples, "")
    assert page.decode() == (GOLDEN / "durations.txt").read_text()
