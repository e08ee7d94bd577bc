"""Counting the records of an event log by severity and by patterns."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

from zope_exporter.logs.tail.lines import JSON, UNPARSED_LINES
from zope_exporter.logs.wrapping.colours import without_colours
from zope_exporter.logs.wrapping.layers import LAYERS, Layer, Unwrapping, find_layers
from zope_exporter.metrics.metric import Metric, Sample

from .fields import OTHER, SEVERITIES, severity
from .format import RecordFormat, record_format
from .patterns import KNOWN_PATTERNS, PatternCounter
from .requests import without_requests

RECORDS = Metric(
    "zope_event_log_records_total",
    "counter",
    "Records of the event log by severity; those that waitress writes twice count once. "
    "Counted by the agent inside Zope where no event log is followed.",
    ("site", "log", "severity"),
)
MATCHES = Metric(
    "zope_event_log_matches_total",
    "counter",
    "Records of the event log in which a pattern was found, once for each record.",
    ("site", "log", "pattern"),
)

# Two threads may log at once, so that the copies of their records take turns.
_REMEMBERED = 16


class EventCounter:
    """Counts the records of one event log.

    A record is all from the line that begins it to the next such line. Nothing in the file tells a
    line break and a made-up beginning within a message from a record.
    """

    metrics = (RECORDS, MATCHES, UNPARSED_LINES)

    def __init__(
        self,
        format: str | None = None,  # noqa: A002 - the name it has in zope.conf and zope.ini
        patterns: Mapping[str, str] = {},
        date_format: str | None = None,
        shared: bool = False,
    ) -> None:
        """Prepare for a format of Python's logging, or for those that Zope and Plone come with.

        `patterns` are RE2 by name, beside KNOWN_PATTERNS. A `shared` file has the access log, too.
        Raises ValueError, naming what is wrong.
        """
        try:
            self._own_format = self._format = record_format(format, date_format)
        except ValueError as error:
            raise ValueError(f"format {format!r} {error}") from None
        known = {pattern.name: pattern.regex for pattern in KNOWN_PATTERNS}
        if taken := known.keys() & patterns.keys():
            raise ValueError(f"pattern {min(taken)} is built in; give yours another name")
        self._patterns = PatternCounter({**known, **patterns}, self._format.start)
        self._duplicates = DuplicateRecords(self._format)
        self._unwrap = Unwrapping()
        self._shared = shared
        self._records = dict.fromkeys((*SEVERITIES, OTHER), 0)
        self._unparsed = 0
        self._in_record = False
        self._before = b"\n"

    def feed(self, block: bytes) -> None:
        """Count whole lines; the first may go on with the last record of the feed before."""
        if b"\r" in block:  # a log that was written on Windows, or through a terminal
            block = block.replace(b"\r\n", b"\n")
        block = without_colours(block)
        self._look_for_layers(block)
        block = self._unwrap(block)
        text, begin = self._before + block, len(self._before)
        self._before = self._separator_at_end_of(text)
        text = self._duplicates.without_copies(text, begin)
        text = without_requests(text, self._format.start, self._shared)
        self._count(text, begin)

    def _count(self, text: bytes, begin: int) -> None:
        if not self._in_record:
            first = self._format.start.search(text)
            begin = first.start() + 1 if first else len(text)
            self._count_unparsed(text[:begin])
            self._in_record = first is not None
        for level, count in Counter(self._format.start.findall(text)).items():
            name = level if isinstance(level, bytes) else b"".join(level)
            self._records[severity(name.decode())] += count * self._format.tells_records
        self._patterns.count(text, begin)

    def _look_for_layers(self, block: bytes) -> None:
        """Find out anew what is around the lines where no record begins as it was until now."""
        if self._format.start.search(self._before + (self._unwrap.peek(block))):
            return
        layers = find_layers(block, lambda text: bool(self._own_format.start.search(b"\n" + text)))
        if layers is not None and layers != self._unwrap.layers:
            self._use(layers)

    def _use(self, layers: tuple[Layer, ...], carried: tuple[bytes, ...] = ()) -> None:
        self._unwrap = Unwrapping(layers, carried)
        format_before = self._format
        self._format = record_format() if "json" in layers else self._own_format
        if self._format is not format_before:
            self._patterns.start = self._format.start
            self._duplicates = DuplicateRecords(self._format)

    def _count_unparsed(self, lines: bytes) -> None:
        # A separator at the end is that of the record to follow, be it in the next feed.
        separator = self._separator_at_end_of(lines)
        self._unparsed += lines.count(b"\n") - separator.count(b"\n")

    def _separator_at_end_of(self, text: bytes) -> bytes:
        return next(filter(text.endswith, self._format.separators), b"\n")

    def skip(self) -> None:
        """Count a line that was too long to be read; it may have begun a record or not."""
        self._unparsed += 1
        self._before = b"\n"

    def save(self) -> Mapping[str, JSON]:
        """Return the counts, and how far the last record is counted."""
        return {
            "records": dict(self._records),
            "matches": dict(self._patterns.counts),
            "unparsed": self._unparsed,
            "in_record": self._in_record,
            "found": sorted(self._patterns.found),
            "before": self._before.decode("utf-8", "surrogateescape"),
            "doubled": self._duplicates.save(),
            "layers": list(self._unwrap.layers),
            "carried": [part.decode("utf-8", "surrogateescape") for part in self._unwrap.carried],
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned, without the patterns that are no more.

        Raises ValueError for anything else, and then has loaded nothing.
        """
        match state:
            case {
                "records": Mapping() as records,
                "matches": Mapping() as matches,
                "unparsed": int() as unparsed,
                "in_record": bool() as in_record,
                "found": [*found],
                "before": str() as before,
                "doubled": Mapping() as doubled,
            }:
                counts = _counts(records, self._records), _counts(matches, self._patterns.counts)
                layers, carried = _wrapping(state)
                DuplicateRecords(self._format).load(doubled)
            case _:
                raise ValueError("not the state of an event log")
        self._use(layers, carried)
        self._duplicates.load(doubled)
        self._records, self._patterns.counts = counts
        self._patterns.found = {name for name in self._patterns.counts if name in found}
        self._unparsed, self._in_record = unparsed, in_record
        self._before = before.encode("utf-8", "surrogateescape")

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        """Make a sample for every severity and pattern, also of those never met."""
        for name, count in self._records.items():
            yield RECORDS(count, site=site, log=log, severity=name)
        for name, count in self._patterns.counts.items():
            yield MATCHES(count, site=site, log=log, pattern=name)
        yield UNPARSED_LINES(self._unparsed, site=site, log=log)


def _wrapping(saved: Mapping[str, JSON]) -> tuple[tuple[Layer, ...], tuple[bytes, ...]]:
    """Layers and parts of lines; earlier versions knew of none."""
    layers, carried = saved.get("layers", ()), saved.get("carried", ())
    if not isinstance(layers, list | tuple) or not isinstance(carried, list | tuple):
        raise ValueError("not the layers of an event log")
    known = tuple(layer for layer in LAYERS for name in layers if name == layer)
    if len(known) != len(layers) or len(carried) > len(layers):
        raise ValueError("not the layers of an event log")
    ordered = tuple(sorted(known, key=list(layers).index))
    return ordered, tuple(str(part).encode("utf-8", "surrogateescape") for part in carried)


def _counts(saved: Mapping[str, JSON], known: Mapping[str, int]) -> dict[str, int]:
    """What was saved of each known name, 0 for a name that is new."""
    counts = {}
    for name in known:
        count = saved.get(name, 0)
        if not isinstance(count, int) or count < 0:
            raise ValueError("not the counts of an event log")
        counts[name] = count
    return counts


class DuplicateRecords:
    """Finds the second copies of records of the logger waitress.

    The zope.ini that Zope and Plone come with gives the handler of the event log both to that
    logger and to the root logger, which also gets what waitress logs. A copy is a first line equal
    to that of one of the last 16 records whose copy has not come yet. As the line has the time and
    the thread, only a log without duplicates can lose a record by this, where one thread logs the
    same twice within a second.
    """

    def __init__(self, records: RecordFormat) -> None:
        self._start = records.start
        self._waitress = records.logger_start
        self._marks = records.logger_marks
        self._separators = records.separators
        self._unpaired: deque[str] = deque(maxlen=_REMEMBERED)
        self._in_copy = False

    def without_copies(self, text: bytes, begin: int) -> bytes:
        """Take second copies out of whole lines; before `begin` is only a separator."""
        if self._waitress is None:
            return text
        if not (self._in_copy or any(mark in text for mark in self._marks)):
            return text
        kept, kept_from = [], 0
        if self._in_copy:
            kept, kept_from = [text[:begin]], self._end(text, begin - 1)
        for record in self._waitress.finditer(text):
            if not self._is_copy(record[0]):
                continue
            copy = record.start() + 1
            kept.append(text[kept_from:copy])
            kept_from = self._end(text, copy)
        self._in_copy = kept_from == len(text)
        return b"".join([*kept, text[kept_from:]])

    def _end(self, text: bytes, inside: int) -> int:
        following = self._start.search(text, inside)
        if following is None:
            return len(text)
        end = following.start() + 1
        # What separates the following record from the copy belongs to it.
        separator = next((each for each in self._separators if text.endswith(each, 0, end)), b"\n")
        return end - len(separator) + 1

    def _is_copy(self, line: bytes) -> bool:
        digest = blake2b(line, digest_size=8).hexdigest()
        if digest in self._unpaired:
            self._unpaired.remove(digest)
            return True
        self._unpaired.append(digest)
        return False

    def save(self) -> dict[str, JSON]:
        return {"single": list(self._unpaired), "in_copy": self._in_copy}

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        match state:
            case {"single": Sequence() as single, "in_copy": bool() as in_copy}:
                self._unpaired = deque(map(str, single), maxlen=_REMEMBERED)
                self._in_copy = in_copy
            case _:
                raise ValueError("not the state of doubled records")
