"""Counting the messages of one site: what each says, and in which log it belongs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zope_exporter.logs.tail.lines import JSON, LineCounter
from zope_exporter.metrics.metric import Sample

from .message import Message, parse
from .payload import EventRecords, access_line
from .route import LogName, SyslogSettings
from .tally import Tally


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
        self.tally = Tally()
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
            self.tally.messages[name or "unmatched"] += 1
            if name is not None:
                lines[name].append(self._lines(name, message))
        for name, found in lines.items():
            if block := b"".join(found):
                self.tally.last[name] = self._clock()
                self._logs[name].feed(block)

    def _lines(self, name: LogName, message: Message) -> bytes:
        return access_line(message) if name == "access" else self._records.lines(message)

    def save(self) -> Mapping[str, JSON]:
        logs = {name: counter.save() for name, counter in self._logs.items()}
        return {"tally": self.tally.save(), "access": logs["access"], "event": logs["event"]}

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        self.tally.load(_object(state, "tally"))
        for name, counter in self._logs.items():
            counter.load(_object(state, name))

    def samples(self, site: str) -> Iterator[Sample]:
        yield from self.tally.samples(site)
        for name, counter in self._logs.items():
            yield from counter.samples(site, f"syslog-{name}")


def _object(state: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    found = state.get(name)
    if not isinstance(found, Mapping):
        raise ValueError(f"they have no part called {name}")
    return found
