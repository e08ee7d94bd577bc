"""Making what counts the lines of each log."""

import logging
from collections.abc import Mapping

from zope_exporter.metrics.metric import Metric

from .access.counter import REQUESTS, RESPONSE_BYTES, AccessCounter
from .access.durations import DURATION, NATIVE_DURATION
from .event.counter import MATCHES, RECORDS, EventCounter
from .syslog.counting import Counters
from .tail.lines import UNPARSED_LINES, LineCounter
from .tail.sources import LogKind, LogSource

log = logging.getLogger(__name__)

COUNTED = (REQUESTS, RESPONSE_BYTES, DURATION, NATIVE_DURATION, RECORDS, MATCHES, UNPARSED_LINES)

COUNT_OF: Mapping[LogKind, Metric] = {"access": REQUESTS, "event": RECORDS}
"""What a log of each kind is read for: its requests or records."""


class CounterMaker:
    """Makes counters with the patterns of each site, given by site and name."""

    def __init__(self, patterns: Mapping[str, Mapping[str, str]]) -> None:
        self._patterns = patterns

    def of_file(self, source: LogSource) -> LineCounter:
        """Return what counts a log file; its format is that of the file, if that is understood."""
        if source.kind == "access":
            return self._access(source)
        patterns = self._patterns.get(source.site, {})
        try:
            return EventCounter(source.format, patterns, source.date_format, source.shared)
        except ValueError as error:  # of a zope.ini; one of ours is checked when it is read
            log.warning("%s: %s; trying the formats that Zope comes with", source.path, error)
            return EventCounter(None, patterns, shared=source.shared)

    def _access(self, source: LogSource) -> LineCounter:
        try:
            return AccessCounter(source.format, source.shared)
        except ValueError as error:  # of a zope.ini, too
            log.warning("%s: %s; trying the common formats", source.path, error)
            return AccessCounter(None, source.shared)

    def of_syslog(self, site: str) -> Counters:
        """Return what counts the lines that a site gets by syslog."""
        return Counters(AccessCounter(), EventCounter(patterns=self._patterns.get(site, {})))
