"""The last hour of the few series the status page draws, kept in memory."""

import math
import threading
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from zope_exporter.metrics.metric import Metric, Sample, encodable

STEP_SECONDS = 30.0
STEPS = 120
# 120 values of 8 bytes each: what a flood of series may take is bounded by this. A site has about
# 40 of them, and a host of 300 sites is to be judged to the last.
MOST_SERIES = 16000

Course = list[float | None]


class _Series:
    """The values of one series, and the numbers of the last steps in which there was one, and in
    which it was another than before."""

    __slots__ = ("changed", "last", "latest", "values")

    def __init__(self, steps: int) -> None:
        self.values = array("d", [math.nan]) * steps
        self.last = self.changed = 0
        self.latest = math.nan

    def add(self, value: float, number: int, place: int) -> None:
        self.values[place] = value
        self.last = number
        if value != self.latest:
            self.latest, self.changed = value, number


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
        self._series: dict[tuple[Metric, str], dict[tuple[str, ...], _Series]] = {}
        self._count = 0
        self._first = 0
        self._latest: int | None = None

    def add(self, samples: Iterable[Sample], now: float) -> None:
        """Keep what is to be kept of one scrape; `now` is in seconds and only ever grows."""
        number = int(now / self._step)
        with self._lock:
            if self._latest is None:
                self._first, self._latest = number, number - 1
            self._forget_up_to(number, self._latest)
            for sample in samples:
                if sample.metric in self._kept:
                    series = self._of_sample(sample)
                    if series is not None:
                        series.add(sample.value, number, number % self._steps)

    def course(
        self, metric: Metric, labels: Sequence[str | None], steps: int | None = None
    ) -> Course:
        """Return the sum over all series whose labels fit, None where a label may be any.

        The oldest value comes first, of the last `steps` if not of all; None stands for a step in
        which nothing was seen.
        """
        wanted = [None if label is None else encodable(label) for label in labels]
        with self._lock:
            if self._latest is None:
                return []
            oldest = (self._latest + 1) % self._steps
            asked = self._steps if steps is None else min(steps, self._steps)
            seen = min(asked, self._latest - self._first + 1)
            courses = [
                (values[oldest:] + values[:oldest])[-seen:] for values in self._of(metric, wanted)
            ]
        found: Course
        if len(courses) == 1:
            found = [None if math.isnan(value) else value for value in courses[0]]
        else:
            # A sum is not equal to itself where a value is missing: it is no number.
            found = [
                total if (total := sum(each)) == total else _sum_of_known(each)
                for each in zip(*courses, strict=True)
            ]
        return [None] * (asked - len(found)) + found

    def increase(self, metric: Metric, labels: Sequence[str], steps: int | None = None) -> float:
        """Return by how much a counter has grown, within the last `steps` if not within all.

        It is 0 for one that was seen only once or never.
        """
        exact = tuple(map(encodable, labels))
        with self._lock:
            series = self._series.get((metric, "".join(exact[:1])), {}).get(exact)
            # Most counters of most sites stand still, and a page asks for thousands.
            if series is None or series.changed <= (self._latest or 0) - (steps or self._steps):
                return 0.0
        return increase(self.course(metric, labels, steps)) or 0.0

    def _of(self, metric: Metric, wanted: Sequence[str | None]) -> Iterator["array[float]"]:
        exact = tuple(want for want in wanted if want is not None)
        if len(exact) == len(wanted):
            only = self._series.get((metric, "".join(exact[:1])), {}).get(exact)
            yield from [only.values] if only else []
            return
        of_sites = (
            [self._series.get((metric, wanted[0]), {})]
            if wanted[0] is not None
            else [series for (of, _), series in self._series.items() if of is metric]
        )
        for series in of_sites:
            for labels, each in series.items():
                if all(want in (None, have) for want, have in zip(wanted, labels, strict=True)):
                    yield each.values

    def _of_sample(self, sample: Sample) -> _Series | None:
        of_site = self._series.setdefault((sample.metric, "".join(sample.labels[:1])), {})
        series = of_site.get(sample.labels)
        if series is None and self._count < self._most:
            self._count += 1
            series = of_site[sample.labels] = _Series(self._steps)
        return series

    def _forget_up_to(self, number: int, previous: int) -> None:
        if number <= previous:
            return
        for passed in range(max(previous + 1, number - self._steps + 1), number + 1):
            for series in self._series.values():
                for each in series.values():
                    each.values[passed % self._steps] = math.nan
        self._latest = number
        for key, series in list(self._series.items()):
            gone = [labels for labels, of in series.items() if of.last <= number - self._steps]
            self._count -= len(gone)
            for labels in gone:
                del series[labels]
            if not series:
                del self._series[key]


def _sum_of_known(values: Sequence[float]) -> float | None:
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
