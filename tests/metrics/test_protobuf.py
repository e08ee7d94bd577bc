"""The protobuf page says what the text page says, and native histograms besides."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.monitoring.metrics_proto import (
    ACCEPT,
    TYPES,
    Series,
    buckets,
    families,
    natives,
    series,
)
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.native import MOST_BUCKETS, NativeHistogram

INFO = Metric("zope_thing_info", "info", "What the thing is.", ("version",))
COUNT = Metric("zope_things_total", "counter", "Things seen.", ("kind", "of"))
GAUGE = Metric("zope_thing_size_bytes", "gauge", 'Size, "quoted"\nand with a \\ in it.', ("kind",))
TIME = Metric("zope_thing_duration_seconds", "histogram", "Time it took.", ("kind",))
NATIVE = Metric("zope_thing_native_seconds", "native histogram", "Time, finer.", ("kind",))
BARE = Metric("zope_bare_ratio", "gauge", "Without labels.")

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
OLD_OPENMETRICS = "application/openmetrics-text;version=0.0.1"
OF_2 = f"{ACCEPT},{OPENMETRICS};q=0.8,{OLD_OPENMETRICS};q=0.75,{TEXT};q=0.5,*/*;q=0.1"
OF_3 = (
    f"{ACCEPT};q=0.6,{OPENMETRICS};escaping=allow-utf-8;q=0.5,{OLD_OPENMETRICS};q=0.4,"
    f"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,{TEXT};q=0.2,*/*;q=0.1"
)

values = st.floats() | st.integers(0, 2**70).map(float)
counts = st.floats(0) | st.integers(0, 2**70).map(float)
labels = st.text(max_size=8)
ends = st.lists(st.floats(-1e9, 1e9), max_size=5, unique=True).map(sorted)


@st.composite
def pages(draw: st.DrawFn) -> list[Sample]:
    """Samples of every kind but native histograms, no series twice."""
    samples = [BARE(draw(values))] if draw(st.booleans()) else []
    for kind in draw(st.sets(labels.map(lambda text: text.encode("utf-8", "replace").decode()))):
        samples += [COUNT(draw(values), kind=kind, of="a"), GAUGE(draw(values), kind=kind)]
        samples += [INFO(version=kind), COUNT(draw(values), kind=kind, of="b")]
        bounds = draw(ends)
        each = draw(st.lists(counts, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
        samples += TIME.buckets(bounds, each, draw(values), kind=kind)
    return draw(st.permutations(samples))


def of_text(samples: list[Sample]) -> Series:
    page, _ = encode(samples, "")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(page.decode())
        for sample in family.samples
    }


def comparable(found: Series) -> dict[object, str]:
    """As text, in which what is no number equals itself."""
    return {key: repr(float(value)) for key, value in found.items()}


@given(pages())
@settings(max_examples=40, deadline=None)
def test_it_says_what_the_text_says(samples: list[Sample]) -> None:
    page, _ = encode(samples, ACCEPT)
    assert comparable(series(page)) == comparable(of_text(samples))


def test_families_are_by_name_with_their_help_and_type() -> None:
    samples = [GAUGE(1, kind="a"), COUNT(2, kind="a", of="b"), INFO(version="1"), BARE(0)]
    samples += [*TIME.buckets([1], [0, 2], 8, kind="a"), GAUGE(3, kind="b")]
    page, content_type = encode(samples, ACCEPT)
    assert content_type == (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily;"
        " encoding=delimited"
    )
    assert [(f.name, f.help, TYPES[f.type], len(f.metric)) for f in families(page)] == [
        (BARE.name, BARE.help, "gauge", 1),
        (TIME.name, TIME.help, "histogram", 1),
        (INFO.name, INFO.help, "gauge", 1),
        (GAUGE.name, GAUGE.help, "gauge", 2),
        (COUNT.name, COUNT.help, "counter", 1),
    ]


@given(
    st.integers(-4, 8),
    st.dictionaries(st.integers(-400, 400), st.integers(1, 2**40), max_size=20),
    st.integers(0, 2**40),
    st.floats(0, 1e12),
)
@settings(max_examples=40, deadline=None)
def test_a_native_histogram_arrives_as_it_is(
    schema: int, known: dict[int, int], zeros: int, total: float
) -> None:
    sent = NATIVE.native(NativeHistogram(schema, 1e-6, zeros, known, total), kind="a")
    (found,) = natives(encode([sent], ACCEPT)[0])
    assert (found.schema, found.zero_threshold, found.zero_count) == (schema, 1e-6, zeros)
    assert buckets(found) == known
    assert found.sample_sum == total
    assert found.sample_count == sum(known.values()) + zeros == sent.value
    assert not found.bucket


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_the_formats_of_text_have_none(accept: str) -> None:
    native = NATIVE.native(NativeHistogram(3, 1e-6, 0, {1: 2}, 3.0), kind="a")
    assert encode([BARE(1), native], accept) == encode([BARE(1)], accept)


@given(st.integers(0, 8), st.sets(st.integers(-2000, 2000), max_size=900))
def test_what_has_too_many_buckets_gets_wider_ones(schema: int, indices: set[int]) -> None:
    fine = NativeHistogram(schema, 1e-9, 3, dict.fromkeys(indices, 1), 1.0)
    coarse = fine.limited()
    assert len(coarse.buckets) <= MOST_BUCKETS
    assert (coarse.count, coarse.zero_count, coarse.total) == (fine.count, 3, 1.0)
    assert (coarse == fine) == (len(indices) <= MOST_BUCKETS)
    factor = 2 ** (fine.schema - coarse.schema)
    assert Counter(coarse.buckets) == Counter(-(-index // factor) for index in indices)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (ACCEPT, True),
        (OF_2, True),
        (OF_3, True),
        (ACCEPT.replace(";", " ; "), True),
        (f"{TEXT};q=0.2,{ACCEPT};q=0.6", True),
        (f"text/html,{ACCEPT};q=0.1", True),
        (f"{TEXT};q=0.6,{ACCEPT};q=0.2", False),
        (f"{TEXT},{ACCEPT}", False),
        (f"*/*,{ACCEPT};q=0.9", False),
        (f"{ACCEPT};q=0", False),
        (f"{ACCEPT};q=2", False),
        (f"{ACCEPT};q=-1", False),
        (f"{ACCEPT};q=nan", False),
        (f"{ACCEPT};q=", False),
        ("application/vnd.google.protobuf", False),
        (ACCEPT.replace("delimited", "text"), False),
        (ACCEPT.replace("MetricFamily", "Metric"), False),
        (f"x{ACCEPT}", False),
        (f"text/html;level=({ACCEPT})", False),
    ],
)
def test_it_is_for_whoever_prefers_it(accept: str, wanted: bool) -> None:
    page, content_type = encode([BARE(1)], accept)
    assert content_type.startswith("application/vnd.google.protobuf") == wanted
    assert series(page) if wanted else parse_text(page.decode())


@given(st.lists(st.sampled_from([*",;=q/* 019.", ACCEPT, TEXT, "proto", "é"]), max_size=60))
def test_no_header_does_harm(parts: list[str]) -> None:
    page, _ = encode([BARE(1)], "".join(parts))
    assert page
