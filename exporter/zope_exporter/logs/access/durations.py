"""How long the requests of an access log took, in the buckets of the agent's own histogram."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from zope_exporter.logs.tail.lines import JSON
from zope_exporter.metrics.metric import Metric, Sample

DURATION = Metric(
    "zope_http_request_duration_seconds",
    "histogram",
    "Time that requests took by the access log, where its format has that; where it has whole"
    " seconds alone, each is in the bucket of the next second, in which it was over for sure.",
    ("site", "log"),
)
# Those of the agent, so that what is made of them holds for both.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MOST_DIGITS = 18
_LONGEST = 1e9  # seconds: nothing takes 30 years, and a sum beyond it would hide all others


@dataclass(frozen=True)
class Unit:
    """How many of it are a second, and the time that a number of it may be rounded down by."""

    parts: int
    rounded: float = 0.0


MICROSECONDS, MILLISECONDS = Unit(1_000_000), Unit(1000)
SECONDS, WHOLE_SECONDS = Unit(1), Unit(1, rounded=1.0)


class Duration(NamedTuple):
    """The time that a request took, in seconds, or up to `rounded` more."""

    seconds: float
    rounded: float = 0.0


@dataclass
class Durations:
    """The durations that a log has told; `seen` is how many requests told theirs."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    @property
    def seen(self) -> int:
        return sum(self.counts)

    def add(self, duration: Duration | None) -> None:
        if duration is not None:
            seconds, rounded = duration
            self.counts[bisect_left(BOUNDS, seconds + rounded)] += 1
            self.total += seconds + rounded / 2

    def save(self) -> Mapping[str, JSON]:
        return {"counts": list(self.counts), "total": self.total}

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        yield from DURATION.buckets(BOUNDS, self.counts, self.total, site=site, log=log)


def from_json(state: JSON) -> Durations:
    """Return what `save` was made of; none for None. Raises ValueError for anything else."""
    if state is None:  # earlier versions did not keep it
        return Durations()
    counts = state.get("counts") if isinstance(state, Mapping) else None
    total = state.get("total") if isinstance(state, Mapping) else None
    if not isinstance(counts, list) or len(counts) != len(BOUNDS) + 1:
        raise ValueError("the durations of an access log are not in our buckets")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("the durations of an access log are no counts")
    if not isinstance(total, int | float) or not 0 <= total < float("inf"):
        raise ValueError("the durations of an access log have no sum")
    return Durations([int(count) for count in counts], float(total))


def duration_of(text: bytes, unit: Unit) -> Duration | None:
    """Return what a word of a line says; None if it is no duration."""
    if len(text) > _MOST_DIGITS or not text.replace(b".", b"", 1).isdigit():
        return None
    seconds = float(text) / unit.parts
    return Duration(seconds, unit.rounded) if seconds <= _LONGEST else None
