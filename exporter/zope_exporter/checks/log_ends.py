"""What the ends of the logs say, for one look that has not seen them grow."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress

from zope_exporter.logs.counters import COUNTED
from zope_exporter.logs.tail.file import LogError, first_timestamp, open_log
from zope_exporter.logs.tail.lines import LineCounter
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape

from .failing import MINUTES
from .probe import roots

BYTES = 256 << 10
_LONGEST = MINUTES * 60.0


class LogEnds:
    """The last lines of each log: what they say as a whole, and by the second of late.

    `roots` are the requests of each site by the root of the site within Zope.
    """

    def __init__(
        self,
        sources: Iterable[LogSource],
        make_counter: Callable[[LogSource], LineCounter],
        now: float,
    ) -> None:
        self.samples: list[Sample] = []
        self.roots: dict[str, Counter[str]] = {}
        self._rates: dict[tuple[Metric, tuple[str, ...]], float] = {}
        for source in sources:
            with suppress(OSError, LogError):  # the collector of logs says it
                self._add(source, make_counter, now)

    def in_place_of_counts(self, scrape: Scrape) -> Scrape:
        """Return a scrape that counts the lines of these ends, where it has seen none begin."""
        kept = [sample for sample in scrape.samples if sample.metric not in COUNTED]
        seen = {(sample.metric, sample.labels) for sample in self.samples}
        kept += [s for s in scrape.samples if s.metric in COUNTED and s[:2] not in seen]
        return Scrape([*kept, *self.samples], scrape.failures)

    def rate(self, metric: Metric, labels: Mapping[str, str]) -> float:
        """By how much a counter grew a second within the last minutes."""
        return self._rates.get((metric, tuple(labels[name] for name in metric.labels)), 0.0)

    def _add(
        self, source: LogSource, make_counter: Callable[[LogSource], LineCounter], now: float
    ) -> None:
        block, is_cut = _end(source)
        if source.kind == "access":
            self.roots.setdefault(source.site, Counter()).update(roots(block))
        self.samples += _counted(make_counter(source), block, source)
        since, late = _late(block, now)
        # A log that has just begun had nothing before: a few failures of a moment are no fire.
        seconds = max(now - since, 1.0) if is_cut else _LONGEST
        for sample in _counted(make_counter(source), late, source):
            self._rates[sample.metric, sample.labels] = sample.value / seconds


def _counted(counter: LineCounter, block: bytes, source: LogSource) -> list[Sample]:
    if block:
        counter.feed(block)
    return list(counter.samples(source.site, source.log))


def _end(source: LogSource) -> tuple[bytes, bool]:
    """The last whole lines of a log, and whether there are some before."""
    with closing(open_log(source.path)) as file:
        start = max(0, file.unread(0) - BYTES)
        block = file.read(BYTES, start)
    if start:
        block = block.partition(b"\n")[2]
    return block[: block.rfind(b"\n") + 1], start > 0


def _late(block: bytes, now: float) -> tuple[float, bytes]:
    """The lines of the last minutes, and since when they are all there is."""
    position, first = 0, True
    for line in block.splitlines(keepends=True):
        when = first_timestamp(line)
        if when is not None and now - _LONGEST <= when <= now + 1:
            return (when if first else now - _LONGEST), block[position:]
        first = first and when is None
        position += len(line)
    return now - _LONGEST, b""
