"""The logs of all sites: what their lines say, and how it stands with the files."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from zope_exporter.logs.tail.archives import reopen_needed
from zope_exporter.logs.tail.file import LogError, LogMissingError
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.watch import LogWatch, Snapshot
from zope_exporter.metrics.metric import Metric, Part, Sample

_LABELS = ("site", "log")

SIZE = Metric("zope_log_size_bytes", "gauge", "Size of the log file.", _LABELS)
UNREAD = Metric(
    "zope_log_unread_bytes",
    "gauge",
    "Bytes of the log and of its rotated files that are not counted yet, such as a line "
    "without an end, without compressed files.",
    _LABELS,
)
RESETS = Metric(
    "zope_log_resets_total",
    "counter",
    "Times lines of the log may have gone uncounted: copytruncate (those written while it was "
    "copied), truncated without a copy or replaced while not watched (those since the last look), "
    "unreadable (the rest of a rotated file), unordered (rotated files that nothing tells from "
    "older ones), missed (rotated files that were removed before they were read, or are compressed "
    "otherwise than by gzip, bzip2 or xz), state (what was kept of earlier runs is lost).",
    (*_LABELS, "reason"),
)
OLDEST_LINE = Metric(
    "zope_log_oldest_line_timestamp_seconds",
    "gauge",
    "Time of the first line of the log file, in seconds since the epoch, read as local time"
    " if it has no zone; absent if the line has no time.",
    _LABELS,
)
REOPEN_NEEDED = Metric(
    "zope_log_reopen_needed",
    "gauge",
    "Whether the process still writes to a renamed or deleted file instead of the log (1) "
    "or not (0); absent if its process is unknown or may not be inspected.",
    _LABELS,
)

REFRESH_SECONDS = 3.0


class LogsCollector:
    """Tells what a watch knows of each log, after a look at all of them.

    `counted` are the metrics of the counters the watch uses.
    """

    name = "logs"

    def __init__(self, watch: LogWatch, counted: Iterable[Metric]) -> None:
        self._watch = watch
        own = (SIZE, UNREAD, RESETS, OLDEST_LINE, REOPEN_NEEDED)
        self.metrics: Sequence[Metric] = tuple(dict.fromkeys([*counted, UNPARSED_LINES, *own]))

    def parts(self) -> Iterable[Part]:
        began = time.monotonic()
        self._watch.ask()  # so that they are looked at while other sources are read
        for source in self._watch.sources():
            yield Part((source.site, source.log), partial(self._collect, source, began))
        yield Part(("", "state"), self._state)

    def _collect(self, source: LogSource, began: float) -> Iterator[Sample]:
        late = self._look(began)
        snapshot = self._watch.snapshot(source)
        yield from snapshot.counted
        yield from _housekeeping(source, snapshot)
        problem = snapshot.problem or late
        if problem is not None and not isinstance(problem, LogMissingError):
            raise problem
        if source.process is not None:
            needed = reopen_needed(source.process.pid, source.path, snapshot.current)
            yield REOPEN_NEEDED(needed, site=source.site, log=source.log)
        if problem is not None:
            raise problem

    def _look(self, began: float) -> LogError | None:
        """Wait for a look at all logs, which all who need one in a scrape share."""
        try:
            self._watch.refresh(REFRESH_SECONDS, began)
        except LogError as error:
            return error
        return None

    def _state(self) -> Iterator[Sample]:
        if self._watch.store.problem is not None:
            raise LogError(self._watch.store.problem)
        yield from ()


def _housekeeping(source: LogSource, snapshot: Snapshot) -> Iterator[Sample]:
    of = {"site": source.site, "log": source.log}
    known = {SIZE: snapshot.size, UNREAD: snapshot.unread, OLDEST_LINE: snapshot.oldest}
    for metric, value in known.items():
        if value is not None:
            yield metric(value, **of)
    for reason, count in (snapshot.resets or {}).items():
        yield RESETS(count, reason=reason, **of)
