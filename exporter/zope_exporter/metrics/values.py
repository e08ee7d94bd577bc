"""The values of one scrape, looked up by metric and labels."""

from collections.abc import Iterable
from itertools import chain

from .metric import Metric, Sample, encodable


class Values:
    """What a scrape has brought; it has them as its `values`."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._values = {(sample.metric, sample.labels): sample.value for sample in samples}
        # Mostly those of one site are asked for, and a host may have hundreds.
        self._labels: dict[Metric, dict[str, list[tuple[str, ...]]]] = {}
        for metric, labels in self._values:
            by_site = self._labels.get(metric)
            if by_site is None:
                by_site = self._labels[metric] = {}
            by_site.setdefault(labels[0] if labels else "", []).append(labels)

    def get(self, metric: Metric, *labels: str) -> float | None:
        return self._values.get((metric, tuple(map(encodable, labels))))

    def labels(self, metric: Metric, *first: str) -> list[dict[str, str]]:
        """The labels of all series of a metric whose first labels have these values."""
        return [
            dict(zip(metric.labels, labels, strict=True))
            for labels in self._known(metric, first)
            if labels[: len(first)] == first
        ]

    def total(self, metric: Metric, *first: str) -> float | None:
        """The sum of these series, None where there are none."""
        found = [labels for labels in self._known(metric, first) if labels[: len(first)] == first]
        return sum(self._values[metric, labels] for labels in found) if found else None

    def _known(self, metric: Metric, first: tuple[str, ...]) -> list[tuple[str, ...]]:
        by_site = self._labels.get(metric, {})
        return by_site.get(first[0], []) if first else list(chain.from_iterable(by_site.values()))
