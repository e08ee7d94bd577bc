"""The values of one scrape, looked up by metric and labels."""

from collections.abc import Iterable

from .metric import Metric, Sample, encodable

Labels = tuple[str, ...]


class Values:
    """What a scrape has brought; it has them as its `values`."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._values: dict[Metric, dict[Labels, float]] = {}
        for metric, labels, value, *_ in samples:
            of_metric = self._values.get(metric)
            if of_metric is None:
                of_metric = self._values[metric] = {}
            of_metric[labels] = value
        # Mostly those of one site are asked for, and a host may have hundreds; of few metrics, too.
        self._by_site: dict[Metric, dict[str, list[Labels]]] = {}

    def get(self, metric: Metric, *labels: str) -> float | None:
        return self._values.get(metric, {}).get(tuple(map(encodable, labels)))

    def labels(self, metric: Metric, *first: str) -> list[dict[str, str]]:
        """The labels of all series of a metric whose first labels have these values."""
        found = self.series(metric, *first)
        return [dict(zip(metric.labels, labels, strict=True)) for labels, _ in found]

    def total(self, metric: Metric, *first: str) -> float | None:
        """The sum of these series, None where there are none."""
        found = self.series(metric, *first)
        return sum(value for _, value in found) if found else None

    def series(self, metric: Metric, *first: str) -> list[tuple[Labels, float]]:
        """The values of their labels, in the order of the metric, and the value of each."""
        values = self._values.get(metric, {})
        known = self._of_site(metric, values, first[0]) if first else values
        return [(labels, values[labels]) for labels in known if labels[: len(first)] == first]

    def _of_site(self, metric: Metric, values: Iterable[Labels], site: str) -> list[Labels]:
        by_site = self._by_site.get(metric)
        if by_site is None:
            by_site = {}
            for labels in values:
                by_site.setdefault(labels[0] if labels else "", []).append(labels)
            self._by_site[metric] = by_site  # only now, as a page and a scrape may ask at once
        return by_site.get(site, [])
