"""Samples as the protobuf messages that Prometheus reads, the only form with native histograms.

The messages are those of io/prometheus/client/metrics.proto, each with its length in front. They
are written here, as it takes less than their generated code would, and no further dependency; the
tests read them by the library of protobuf.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from struct import pack

from .metric import Kind, Metric, Sample
from .native import NativeHistogram

CONTENT_TYPE = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
# MetricType, and the field of Metric that has the value.
_KINDS: Mapping[Kind, tuple[int, int]] = {
    "counter": (0, 3),
    "gauge": (1, 2),
    "info": (1, 2),
    "histogram": (4, 7),
    "native histogram": (4, 7),
}
_SHORT = [bytes([number]) for number in range(0x80)]
_EXACT = 2**53  # up to here a count is the same as a whole number and as a float


def encode(samples: Iterable[Sample]) -> bytes:
    """Return the page: the families by name, each in one piece."""
    families: dict[Metric, dict[tuple[str, ...], list[Sample]]] = {}
    for sample in samples:
        families.setdefault(sample.metric, {}).setdefault(sample.labels, []).append(sample)
    by_name = sorted(families, key=lambda metric: metric.name)
    return b"".join(_delimited(_family(metric, families[metric])) for metric in by_name)


def _family(metric: Metric, series: Mapping[tuple[str, ...], list[Sample]]) -> bytes:
    kind, place = _KINDS[metric.kind]
    names = [_text(1, name) for name in metric.labels]
    parts = [_text(1, metric.name), _text(2, metric.help), _uint(3, kind)]
    for values, samples in series.items():
        pairs = zip(names, values, strict=True)
        labels = b"".join(_message(1, name + _text(2, value)) for name, value in pairs)
        parts.append(_message(4, labels + _message(place, _value(samples))))
    return b"".join(parts)


def _value(samples: list[Sample]) -> bytes:
    first = samples[0]
    if first.native is not None:
        return b"".join(_native(first.native))
    if first.metric.kind == "histogram":
        return b"".join(map(_of_histogram, samples))
    return _double(1, first.value)


def _of_histogram(sample: Sample) -> bytes:
    if sample.bound is not None:
        return _message(3, _count(1, 4, sample.value) + _double(2, sample.bound))
    return _double(2, sample.value) if sample.suffix == "_sum" else _count(1, 4, sample.value)


def _count(place: int, otherwise: int, value: float) -> bytes:
    """A count, which an agent may tell us as anything; only a whole number fits in its place."""
    if 0 <= value <= _EXACT and value.is_integer():
        return _uint(place, int(value))
    return _double(otherwise, value)


def _native(histogram: NativeHistogram) -> Iterator[bytes]:
    yield _uint(1, histogram.count) + _double(2, histogram.total)
    yield _sint(5, histogram.schema) + _double(6, histogram.zero_threshold)
    yield _uint(7, histogram.zero_count)
    indices = sorted(histogram.buckets)
    starts = [i for i in indices if i - 1 not in histogram.buckets]
    ends = [i + 1 for i in indices if i + 1 not in histogram.buckets]
    gaps = [start - end for end, start in zip([0, *ends], starts, strict=False)]
    for gap, start, end in zip(gaps, starts, ends, strict=True):
        yield _message(12, _sint(1, gap) + _uint(2, end - start))
    counts = [0, *(histogram.buckets[i] for i in indices)]
    for before, count in pairwise(counts):
        yield _sint(13, count - before)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth bit."""
    if number <= 0x7F:  # mostly
        return _SHORT[number]
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _delimited(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _delimited(content)


def _text(field: int, content: str) -> bytes:
    return _message(field, content.encode())


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + pack("<d", number)


def _uint(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _sint(field: int, number: int) -> bytes:
    """A number of either sign: 0, -1, 1, -2 and so on become 0, 1, 2, 3."""
    return _uint(field, 2 * number if number >= 0 else -2 * number - 1)
