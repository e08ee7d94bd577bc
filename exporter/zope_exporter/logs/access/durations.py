"""How long the requests of an access log took, in the buckets of the agent's own histogram."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from zope_exporter.logs.tail.lines import JSON
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.native import NativeHistogram

DURATION = Metric(
    "zope_http_request_duration_seconds",
    "histogram",
    "Time that requests took by the access log, where its format has that; where it has whole"
    " seconds alone, each is in the bucket of the next second, in which it was over for sure.",
    ("site", "log"),
)
# Of a name of its own: where one family has both, Prometheus takes the native one alone unless told
# otherwise, before 2.45 always, and rules and dashboards would find no buckets.
NATIVE_DURATION = Metric(
    "zope_http_request_duration_native_seconds",
    "native histogram",
    "The same as `zope_http_request_duration_seconds` as a native histogram, for a Prometheus that"
    " asks for them; it begins when an exporter that has it first reads the log.",
    ("site", "log"),
)
# Those of the agent, so that what is made of them holds for both.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MOST_DIGITS = 18
_LONGEST = 1e9  # seconds: nothing takes 30 years, and a sum beyond it would hide all others
_SCHEMA = 3  # each bucket of the native one ends 9 % later than that before, from a millisecond on
_LOWEST, _HIGHEST = -10 << _SCHEMA, 30 << _SCHEMA  # its buckets, from 2**-10 to 2**30 seconds
_NATIVE_BOUNDS = [2.0 ** (index / 2**_SCHEMA) for index in range(_LOWEST, _HIGHEST + 1)]
_ZERO = _NATIVE_BOUNDS[0]
# Where a bucket of either ends a cell does, so that a line is looked up and counted once for both.
_ENDS = sorted({*BOUNDS, *_NATIVE_BOUNDS})
_CLASSIC = [bisect_left(BOUNDS, end) for end in _ENDS]
_NATIVE = [bisect_left(_NATIVE_BOUNDS, end) + _LOWEST for end in _ENDS]


@dataclass(frozen=True)
class Unit:
    """How many of it are a second, and the time that a number of it may be rounded down by."""

    parts: int
    rounded: float = 0.0


MICROSECONDS, MILLISECONDS = Unit(1_000_000), Unit(1000)
SECONDS, WHOLE_SECONDS = Unit(1), Unit(1, rounded=1.0)


Duration = tuple[float, float]
"""The time that a request took, in seconds, and by how much more it may have been."""


@dataclass
class Durations:
    """The durations that a log has told, in cells that both histograms are made of.

    Versions without native histograms have kept no cells: what they counted is `earlier`, and only
    in the classic one.
    """

    cells: list[int] = field(default_factory=lambda: [0] * len(_ENDS))
    total: float = 0.0
    earlier: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    earlier_total: float = 0.0

    @property
    def seen(self) -> int:
        """How many requests told theirs."""
        return sum(self.earlier) + sum(self.cells)

    def add(self, durations: Iterable[Duration | None]) -> None:
        cells, total = self.cells, self.total
        for duration in durations:
            if duration is not None:
                seconds, rounded = duration
                cells[bisect_left(_ENDS, seconds + rounded)] += 1
                total += seconds + rounded / 2
        self.total = total

    def save(self) -> Mapping[str, JSON]:
        """Return the state, which earlier versions can go on with, too."""
        cells: dict[str, JSON] = {str(i): count for i, count in enumerate(self.cells) if count}
        native: dict[str, JSON] = {"cells": cells, "total": self.total}
        return {
            "counts": list[JSON](self.classic()),
            "total": self.earlier_total + self.total,
            "native": {**native, "earlier_total": self.earlier_total},
        }

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        total = self.earlier_total + self.total
        yield from DURATION.buckets(BOUNDS, self.classic(), total, site=site, log=log)
        yield NATIVE_DURATION.native(self._native(), site=site, log=log)

    def classic(self) -> list[int]:
        """How many are in each of the classic buckets alone."""
        counts = list(self.earlier)
        for bucket, count in zip(_CLASSIC, self.cells, strict=True):
            counts[bucket] += count
        return counts

    def _native(self) -> NativeHistogram:
        buckets = Counter[int]()
        for bucket, count in zip(_NATIVE, self.cells, strict=True):
            if count:
                buckets[bucket] += count
        zeros = buckets.pop(_LOWEST, 0)
        return NativeHistogram(_SCHEMA, _ZERO, zeros, buckets, self.total).limited()


def from_json(state: JSON) -> Durations:
    """Return what `save` was made of; none for None. Raises ValueError for anything else."""
    if state is None:  # earlier versions did not keep it
        return Durations()
    kept: Mapping[str, JSON] = state if isinstance(state, Mapping) else {}
    counts = kept.get("counts")
    if not isinstance(counts, list) or len(counts) != len(BOUNDS) + 1:
        raise ValueError("the durations of an access log are not in our buckets")
    none: Mapping[str, JSON] = {"cells": {}, "total": 0, "earlier_total": kept.get("total")}
    native = kept.get("native", none)
    if not isinstance(native, Mapping):
        raise ValueError("the durations of an access log are in no cells")
    known = Durations(_cells(native.get("cells")), _total(native.get("total")))
    pairs = zip(counts, known.classic(), strict=True)
    known.earlier = [_count(_count(count) - later) for count, later in pairs]
    known.earlier_total = _total(native.get("earlier_total"))
    return known


def _cells(kept: JSON) -> list[int]:
    cells = [0] * len(_ENDS)
    if not isinstance(kept, Mapping) or not kept.keys() <= set(map(str, range(len(cells)))):
        raise ValueError("the durations of an access log are not in our cells")
    for index, count in kept.items():
        cells[int(index)] = _count(count)
    return cells


def _count(value: JSON) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("the durations of an access log are no counts")
    return value


def _total(value: JSON) -> float:
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("the durations of an access log have no sum")
    return float(value)


def duration_of(text: bytes, unit: Unit) -> Duration | None:
    """Return what a word of a line says; None if it is no duration."""
    if len(text) > _MOST_DIGITS or not text.replace(b".", b"", 1).isdigit():
        return None
    seconds = float(text) / unit.parts
    return (seconds, unit.rounded) if seconds <= _LONGEST else None
