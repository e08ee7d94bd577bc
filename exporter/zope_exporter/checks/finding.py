"""What is said of each thing that was looked at."""

from dataclasses import dataclass
from enum import IntEnum

from zope_exporter.metrics.metric import Metric, encodable
from zope_exporter.metrics.registry import Scrape


class Severity(IntEnum):
    """Ordered by how much it matters; `exit_code` is what Nagios calls it."""

    OK = 0
    WARNING = 1
    UNKNOWN = 2
    CRITICAL = 3

    @property
    def exit_code(self) -> int:
        return {Severity.UNKNOWN: 3, Severity.CRITICAL: 2}.get(self, int(self))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and how it is."""

    severity: Severity
    site: str
    subject: str
    text: str


class Values:
    """The values of a scrape, looked up by metric and labels."""

    def __init__(self, scrape: Scrape) -> None:
        self._values = {(sample.metric, sample.labels): sample.value for sample in scrape.samples}

    def get(self, metric: Metric, *labels: str) -> float | None:
        return self._values.get((metric, tuple(map(encodable, labels))))

    def labels(self, metric: Metric, *first: str) -> list[dict[str, str]]:
        """The labels of all series of a metric whose first labels have these values."""
        return [
            dict(zip(metric.labels, labels, strict=True))
            for known, labels in self._values
            if known == metric and labels[: len(first)] == first
        ]
