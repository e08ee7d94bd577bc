"""What Prometheus' protobuf format says, read by the library of protobuf itself."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]

# io/prometheus/client/metrics.proto of client_model 0.6, Apache License 2.0, Copyright 2013
# Prometheus Team; without enumeration, exemplars, timestamps, summaries and comments.
_PROTO = """
message LabelPair { optional string name = 1; optional string value = 2; }
message Gauge { optional double value = 1; }
message Counter { optional double value = 1; }
message Untyped { optional double value = 1; }
message Histogram {
  optional uint64 sample_count = 1; optional double sample_count_float = 4;
  optional double sample_sum = 2; repeated Bucket bucket = 3;
  optional sint32 schema = 5; optional double zero_threshold = 6;
  optional uint64 zero_count = 7; optional double zero_count_float = 8;
  repeated BucketSpan negative_span = 9; repeated sint64 negative_delta = 10;
  repeated double negative_count = 11;
  repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13;
  repeated double positive_count = 14;
}
message Bucket {
  optional uint64 cumulative_count = 1; optional double cumulative_count_float = 4;
  optional double upper_bound = 2;
}
message BucketSpan { optional sint32 offset = 1; optional uint32 length = 2; }
message Metric {
  repeated LabelPair label = 1; optional Gauge gauge = 2; optional Counter counter = 3;
  optional Untyped untyped = 5; optional Histogram histogram = 7; optional int64 timestamp_ms = 6;
}
message MetricFamily {
  optional string name = 1; optional string help = 2; optional uint32 type = 3;
  repeated Metric metric = 4; optional string unit = 5;
}
"""
ACCEPT = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
TYPES = ("counter", "gauge", "summary", "untyped", "histogram")

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _family_class() -> Any:
    package = "io.prometheus.client"
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package=package)
    fields = descriptor_pb2.FieldDescriptorProto
    for message, body in re.findall(r"message (\w+) \{(.*?)\}", _PROTO, re.DOTALL):
        added = file.message_type.add(name=message)
        for label, kind, name, number in re.findall(r"(\w+) (\w+) (\w+) = (\d+);", body):
            own = kind[0].isupper()
            added.field.add(
                name=name,
                number=int(number),
                label=fields.Label.Value(f"LABEL_{label.upper()}"),
                type=fields.TYPE_MESSAGE if own else fields.Type.Value(f"TYPE_{kind.upper()}"),
                type_name=f".{package}.{kind}" if own else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.MetricFamily"))


_MetricFamily = _family_class()


def families(page: bytes) -> Iterator[Any]:
    """Yield each MetricFamily; AssertionError if one has a field that is not of the format."""
    place = 0
    while place < len(page):
        length, place = _DecodeVarint32(page, place)
        family = _MetricFamily.FromString(page[place : place + length])
        family.DiscardUnknownFields()
        assert family.ByteSize() == length
        place += length
        yield family


def series(page: bytes) -> Series:
    """All but native histograms, under the names and labels that they have in text."""
    found: Series = {}
    for family in families(page):
        for metric in family.metric:
            labels = [(pair.name, pair.value) for pair in metric.label]
            for suffix, more, value in _values(family.type, metric):
                found[family.name + suffix, frozenset([*labels, *more])] = value
    return found


def _values(kind: int, metric: Any) -> Iterator[tuple[str, list[tuple[str, str]], float]]:
    if TYPES[kind] != "histogram":
        yield "", [], getattr(metric, TYPES[kind]).value
        return
    histogram = metric.histogram
    if not histogram.zero_threshold:
        for bucket in histogram.bucket:
            count = bucket.cumulative_count_float or bucket.cumulative_count
            end = bucket.upper_bound
            yield "_bucket", [("le", "+Inf" if end == float("inf") else repr(end))], count
        yield "_sum", [], histogram.sample_sum
        yield "_count", [], histogram.sample_count_float or histogram.sample_count


def natives(page: bytes) -> Iterator[Any]:
    """Yield each native histogram as its message."""
    for family in families(page):
        for metric in family.metric:
            if metric.histogram.zero_threshold:
                yield metric.histogram


def buckets(histogram: Any) -> dict[int, int]:
    """The count of each bucket of a native histogram, by its index."""
    counts: list[int] = []
    found: dict[int, int] = {}
    index = 0
    for delta in histogram.positive_delta:
        counts.append((counts[-1] if counts else 0) + delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            found[index] = counts[len(found)]
            index += 1
    assert len(found) == len(counts)
    return found
