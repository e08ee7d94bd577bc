"""The last hour of the few series the status page draws, kept in memory."""

import math
import threading
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from zope_exporter.metrics.metric import Metric, Sample, encodable

STEP_SECONDS = 30.0
STEPS = 120
# 120 values of 8 bytes each: what a flood of series may take is bounded by this.
MOST_SERIES = 4000

Course = list[float | None]


class History:
    """Values by time: one for each step, the latest of those that fell into it.

    Thread-safe. A step nobody looked in holds nothing, so that a gap stays a gap.
    """

    def __init__(
        self,
        kept: Collection[Metric],
        step: float = STEP_SECONDS,
        steps: int = STEPS,
        most: int = MOST_SERIES,
    ) -> None:
        self._kept = frozenset(kept)
        self._step = step
        self._steps = steps
        self._most = most
        self._lock = threading.Lock()
        # By metric and first label, the site: a page asks for those of one site after the other.
        self._series: dict[tuple[Metric, str], dict[tuple[str, ...], array[float]]] = {}
        self._count = 0
        self._latest: int | None = None

    def add(self, samples: Iterable[Sample], now: float) -> None:
        """Keep what is to be kept of one scrape; `now` is in seconds and only ever grows."""
        number = int(now / self._step)
        with self._lock:
            self._forget_up_to(number)
            for sample in samples:
                if sample.metric in self._kept:
                    values = self._values(sample)
                    if values is not None:
                        values[number % self._steps] = sample.value

    def course(self, metric: Metric, labels: Sequence[str | None]) -> Course:
        """Return the sum over all series whose labels fit, None where a label may be any.

        The oldest value comes first; None stands for a step in which nothing was seen.
        """
        wanted = [None if label is None else encodable(label) for label in labels]
        with self._lock:
            if self._latest is None:
                return []
            fitting = [
                values
                for found, values in self._of(metric, wanted)
                if all(want in (None, have) for want, have in zip(wanted, found, strict=True))
            ]
            order = [(self._latest + 1 + i) % self._steps for i in range(self._steps)]
            return [_sum([values[place] for values in fitting]) for place in order]

    def _of(
        self, metric: Metric, wanted: Sequence[str | None]
    ) -> Iterator[tuple[tuple[str, ...], "array[float]"]]:
        first = wanted[0] if wanted else ""
        if first is not None:
            yield from self._series.get((metric, first), {}).items()
            return
        for (of, _), series in self._series.items():
            if of is metric:
                yield from series.items()

    def _values(self, sample: Sample) -> "array[float] | None":
        series = self._series.setdefault((sample.metric, "".join(sample.labels[:1])), {})
        values = series.get(sample.labels)
        if values is None and self._count < self._most:
            self._count += 1
            values = series[sample.labels] = array("d", [math.nan] * self._steps)
        return values

    def _forget_up_to(self, number: int) -> None:
        previous = number - 1 if self._latest is None else self._latest
        if number <= previous:
            return
        for passed in range(max(previous + 1, number - self._steps + 1), number + 1):
            for series in self._series.values():
                for values in series.values():
                    values[passed % self._steps] = math.nan
        self._latest = number
        for key, series in list(self._series.items()):
            gone = {labels for labels, values in series.items() if all(map(math.isnan, values))}
            self._count -= len(gone)
            self._series[key] = {k: v for k, v in series.items() if k not in gone}
            if not self._series[key]:
                del self._series[key]


def _sum(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else None


def rate(course: Course, step: float = STEP_SECONDS) -> Course:
    """Return the increase a second of a counter between each value and the one before it.

    None where either is missing; a counter that fell began anew, and what it has now is new.
    """
    rates: Course = []
    for before, value in pairwise(course):
        if before is None or value is None:
            rates.append(None)
        else:
            rates.append((value - before if value >= before else value) / step)
    return rates


def increase(course: Course) -> float | None:
    """Return by how much a counter has grown in all, None if it was seen only once or never."""
    grown = [value for value in rate(course, 1.0) if value is not None]
    return sum(grown) if grown else None
