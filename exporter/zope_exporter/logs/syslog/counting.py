"""Counting the messages of one site, and what each says in the log where it belongs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from zope_exporter.logs.tail.lines import JSON, LineCounter
from zope_exporter.metrics.metric import Metric, Sample

from .message import EventRecords, LogName, Message, SyslogSettings, access_line, parse

MESSAGES = Metric(
    "zope_syslog_messages_total",
    "counter",
    "Syslog messages received, by the log their facility or tag puts them in; those of outcome"
    " `unmatched` fit neither log and are not looked at.",
    ("site", "outcome"),
)
TRUNCATED = Metric(
    "zope_syslog_truncated_messages_total",
    "counter",
    "Syslog messages of more than 64 KiB, of which only the beginning was read.",
    ("site",),
)
DROPPED = Metric(
    "zope_syslog_dropped_messages_total",
    "counter",
    "Syslog messages lost at this end: the kernel had no room for them (reason `buffer`), or they"
    " were thrown away to keep a flood from taking more than a quarter of a core (`flood`).",
    ("site", "reason"),
)
LAST_MESSAGE = Metric(
    "zope_syslog_last_message_timestamp_seconds",
    "gauge",
    "When the last syslog message of a log arrived, in seconds since the epoch; absent before the"
    " first.",
    ("site", "log"),
)
METRICS = (MESSAGES, TRUNCATED, DROPPED, LAST_MESSAGE)
OUTCOMES = ("access", "event", "unmatched")
REASONS = ("buffer", "flood")


@dataclass
class MessageCounts:
    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    truncated: int = 0
    last: dict[str, float] = field(default_factory=dict)

    def save(self) -> Mapping[str, JSON]:
        return {
            "messages": dict(self.messages),
            "dropped": dict(self.dropped),
            "truncated": self.truncated,
            "last": dict(self.last),
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        messages = numbers(state.get("messages"), OUTCOMES)
        dropped = numbers(state.get("dropped"), REASONS)
        last = numbers(state.get("last"), ())
        (truncated,) = numbers({"truncated": state.get("truncated")}, ("truncated",)).values()
        self.messages = {name: int(messages[name]) for name in OUTCOMES}
        self.dropped = {name: int(dropped[name]) for name in REASONS}
        self.truncated = int(truncated)
        self.last = {name: last[name] for name in OUTCOMES[:2] if name in last}

    def samples(self, site: str) -> Iterator[Sample]:
        for outcome, count in self.messages.items():
            yield MESSAGES(count, site=site, outcome=outcome)
        for reason, count in self.dropped.items():
            yield DROPPED(count, site=site, reason=reason)
        yield TRUNCATED(self.truncated, site=site)
        for log, moment in self.last.items():
            yield LAST_MESSAGE(moment, site=site, log=f"syslog-{log}")


def numbers(found: JSON, names: tuple[str, ...]) -> dict[str, float]:
    """Return a JSON object of numbers that has at least these names. Raises ValueError."""
    if not isinstance(found, Mapping) or not set(names) <= found.keys():
        raise ValueError("the syslog counters in the state file are not as we write them")
    checked = {name: value for name, value in found.items() if type(value) in (int, float)}
    if len(checked) < len(found):
        raise ValueError("the syslog counters in the state file are not all numbers")
    return {name: float(str(value)) for name, value in checked.items()}


@dataclass(frozen=True)
class Counters:
    """What counts the lines of a site's two logs."""

    access: LineCounter
    event: LineCounter


class MessageCounter:
    """Hands the payload of each message to the counter of its log. Not for several threads."""

    def __init__(
        self, settings: SyslogSettings, counters: Counters, clock: Callable[[], float]
    ) -> None:
        self.counts = MessageCounts()
        self._settings = settings
        self._logs: dict[LogName, LineCounter] = {
            "access": counters.access,
            "event": counters.event,
        }
        self._records = EventRecords(settings.event.tag, clock)
        self._clock = clock

    def count(self, datagrams: Sequence[bytes]) -> None:
        lines: dict[LogName, list[bytes]] = {"access": [], "event": []}
        for message in map(parse, datagrams):
            name = self._settings.log_of(message)
            self.counts.messages[name or "unmatched"] += 1
            if name is not None:
                lines[name].append(self._lines(name, message))
        for name, found in lines.items():
            if block := b"".join(found):
                self.counts.last[name] = self._clock()
                self._logs[name].feed(block)

    def _lines(self, name: LogName, message: Message) -> bytes:
        return access_line(message) if name == "access" else self._records.lines(message)

    def save(self) -> Mapping[str, JSON]:
        logs = {name: counter.save() for name, counter in self._logs.items()}
        return {"tally": self.counts.save(), "access": logs["access"], "event": logs["event"]}

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        self.counts.load(_object(state, "tally"))
        for name, counter in self._logs.items():
            counter.load(_object(state, name))

    def samples(self, site: str) -> Iterator[Sample]:
        yield from self.counts.samples(site)
        for name, counter in self._logs.items():
            yield from counter.samples(site, f"syslog-{name}")


def _object(state: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    found = state.get(name)
    if not isinstance(found, Mapping):
        raise ValueError(f"they have no part called {name}")
    return found
