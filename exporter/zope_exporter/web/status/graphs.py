"""The small graphs of the status page, drawn by the server from the history of series."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from zope_exporter.checks.failing import EXCEPTION, MINUTES
from zope_exporter.collectors import filestorage, ping, process
from zope_exporter.collectors.agent import instance
from zope_exporter.discovery.inventory import Service, Site
from zope_exporter.logs.access import counter as access
from zope_exporter.logs.event import counter as event
from zope_exporter.metrics.metric import Metric
from zope_exporter.system.humanize import size

from .history import STEP_SECONDS, Course, History, rate
from .view import ErrorCount, Graph

WIDTH, HEIGHT = 120.0, 24.0

DRAWN: tuple[Metric, ...] = (
    access.REQUESTS,
    event.MATCHES,
    event.RECORDS,
    filestorage.SIZE,
    ping.DURATION,
    ping.UP,
    process.RESIDENT,
    process.UP,
    instance.BUSY,
    instance.RESPONSES,
)

# That Zope has started is no error.
_HARMLESS = frozenset({"started"})
_LOUD = ("ERROR", "CRITICAL")


def sparkline(course: Sequence[float | None], top: float | None = None) -> str:
    """Return the path of an SVG: the values from left to right, with a gap where one is missing.

    The lowest line of the picture is 0, its upper edge `top` or else the highest value. Empty
    without a value.
    """
    known = [value for value in course if value is not None]
    if not known:
        return ""
    highest = top or max(known) or 1.0
    across = WIDTH / max(len(course) - 1, 1)
    drawn, pen = [], "M"
    for number, value in enumerate(course):
        if value is None:
            pen = "M"
            continue
        y = HEIGHT - min(max(value / highest, 0.0), 1.0) * HEIGHT
        drawn.append(f"{pen}{number * across:.1f} {y:.1f}")
        if pen == "M":
            drawn.append("h0.1")  # a single value would not be seen
        pen = "L"
    return "".join(drawn)


def graph(
    title: str, course: Course, words: Callable[[float], str], top: float | None = None
) -> list[Graph]:
    """Return a graph with its latest value in `words`, none where there is nothing to draw."""
    known = [value for value in course if value is not None]
    if not known:
        return []
    latest = course[-1]
    return [Graph(title, sparkline(course, top), "no data" if latest is None else words(latest))]


def site_graphs(history: History, site: Site) -> tuple[Graph, ...]:
    """Return the requests of a site, as answered or else as logged, and its slowest ping."""
    answered = _finished(rate(history.course(instance.RESPONSES, (site.name, None, None))))
    if not any(value is not None for value in answered):
        answered = _finished(_logged(history, site.name))
    pings = [history.course(ping.DURATION, (site.name, target.name)) for target in site.targets]
    # Most sites have one target, and a host may have hundreds of sites.
    slowest = pings[0] if len(pings) == 1 else [_highest(each) for each in zip(*pings, strict=True)]
    return (
        *graph("Requests", answered, lambda value: f"{value:.1f}/s"),
        *graph("Slowest ping", slowest, lambda value: f"{value * 1000:.0f} ms"),
    )


def _logged(history: History, site: str) -> Course:
    """Return the requests a second in access logs, and those whose exceptions none of them has."""
    logged = rate(history.course(access.REQUESTS, (site, None, None, None)))
    exceptions = rate(history.course(event.MATCHES, (site, None, EXCEPTION)))
    pairs = zip_longest(logged, exceptions)
    return [None if both[0] is None else both[0] + (both[1] or 0.0) for both in pairs]


def zope_graphs(history: History, site: str, zope: Service) -> tuple[Graph, ...]:
    """Return the busy worker threads and the memory of a process."""
    busy = history.course(instance.BUSY, (site, zope.name))
    memory = history.course(process.RESIDENT, (site, zope.name))
    return (
        *graph("Busy workers", busy, lambda value: f"{value:.0f}", float(zope.threads or 4)),
        *graph("Memory", memory, size),
    )


def database_graphs(history: History, site: str, database: str) -> tuple[Graph, ...]:
    """Return the size of a Data.fs."""
    return tuple(graph("Data.fs", history.course(filestorage.SIZE, (site, database)), size))


def errors(history: History, samples: Sequence[tuple[Metric, tuple[str, ...]]]) -> list[ErrorCount]:
    """Return what the event logs of one site held within the last hour, the most frequent first."""
    found = []
    for metric, labels in samples:
        _, log, what = labels
        if metric is event.RECORDS and what not in _LOUD:
            continue
        count = history.increase(metric, labels)
        if count and what not in _HARMLESS:
            found.append(ErrorCount(log, what, int(count)))
    return sorted(found, key=lambda error: (-error.count, error.log, error.what))


def recent_rate(history: History, metric: Metric, labels: Mapping[str, str]) -> float:
    """Return by how much a counter grew a second within the last minutes."""
    steps = int(MINUTES * 60 / STEP_SECONDS)
    grown = history.increase(metric, [labels[name] for name in metric.labels], steps + 1)
    return grown / (MINUTES * 60)


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _finished(rates: Course) -> Course:
    # What is counted in the step under way is not yet that of a whole step.
    return rates[:-1]
