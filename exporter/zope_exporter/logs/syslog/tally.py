"""What a receiver counts of the messages themselves, whatever they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from zope_exporter.logs.tail.lines import JSON
from zope_exporter.metrics.metric import Metric, Sample

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
class Tally:
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
