"""What an EventCounter has counted, without the zeros."""

from zope_exporter.logs.event.counter import MATCHES, RECORDS, EventCounter
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.metrics.metric import Metric


def _counted(counter: EventCounter, metric: Metric) -> dict[str, int]:
    found = [sample for sample in counter.samples("site", "log") if sample.metric == metric]
    return {sample.labels[2]: int(sample.value) for sample in found if sample.value}


def records(counter: EventCounter) -> dict[str, int]:
    return _counted(counter, RECORDS)


def matches(counter: EventCounter) -> dict[str, int]:
    return _counted(counter, MATCHES)


def unparsed(counter: EventCounter) -> int:
    [sample] = [s for s in counter.samples("site", "log") if s.metric == UNPARSED_LINES]
    return int(sample.value)
