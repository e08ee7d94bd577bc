from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.metric import Metric

INFO = Metric("zope_thing_info", "info", "What the thing is.", ("version",))
COUNT = Metric("zope_things_total", "counter", "Things seen.", ("kind",))
GAUGE = Metric("zope_thing_size_bytes", "gauge", 'Size, "quoted"\nand with a \\ in it.', ("kind",))
TIME = Metric("zope_thing_duration_seconds", "histogram", "Time it took.", ("kind",))
SAMPLES = [
    COUNT(1, kind="a"),
    GAUGE(2.5, kind="a"),
    INFO(version="1"),
    COUNT(3e9, kind='b"\n\\'),
    GAUGE(float("nan"), kind="b"),
    *TIME.buckets([0.005, 1, 60], [3, 0, 2, 1], 200.5, kind="a"),
]

OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"
GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize(
    ("accept", "content_type", "golden"),
    [
        ("", "text/plain; version=0.0.4", "exposition.txt"),
        ("nonsense", "text/plain; version=0.0.4", "exposition.txt"),
        (
            OPENMETRICS,
            "application/openmetrics-text; version=1.0.0",
            "openmetrics.txt",
        ),
    ],
)
def test_golden_pages(accept: str, content_type: str, golden: str) -> None:
    page, found = encode(SAMPLES, accept)
    assert found.startswith(content_type)
    assert page.decode() == (GOLDEN / golden).read_text()


def test_a_version_that_is_none_asks_for_text() -> None:
    strange = "application/openmetrics-text;version=1.0rc1"
    assert encode(SAMPLES, strange) == encode(SAMPLES, "")


def test_a_histogram_reads_the_same_in_both_formats() -> None:
    read = []
    for accept, parse in [("", parse_text), (OPENMETRICS, parse_openmetrics)]:
        page, _ = encode(TIME.buckets([0.005, 1e7], [3, 0, 1], 2e7, kind="a"), accept)
        (family,) = parse(page.decode())
        assert family.type == "histogram"
        read.append([(s.name, float(s.labels.get("le", 0)), s.value) for s in family.samples])
    assert read[0] == read[1]


@given(st.text())
def test_any_label_value_survives_both_formats(value: str) -> None:
    sample = COUNT(1, kind=value)
    for accept, parse in [("", parse_text), (OPENMETRICS, parse_openmetrics)]:
        page, _ = encode([sample], accept)
        (family,) = parse(page.decode())
        assert family.samples[0].labels == {"kind": sample.labels[0]}


@given(st.floats())
def test_any_number_survives_both_formats(value: float) -> None:
    for accept, parse in [("", parse_text), (OPENMETRICS, parse_openmetrics)]:
        page, _ = encode([GAUGE(value, kind="a")], accept)
        (family,) = parse(page.decode())
        assert repr(family.samples[0].value) == repr(value)
