"""Receivers of syslog to test with, and what they have counted."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs.processes import eventually
from zope_exporter.logs.syslog.counting import Counters
from zope_exporter.logs.syslog.message import SyslogSettings
from zope_exporter.logs.syslog.receiver import CpuQuota, SyslogReceiver
from zope_exporter.logs.tail.lines import JSON
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.metrics.metric import Metric, Sample

NOON = 1_780_000_000.0


class Lines:
    """A line counter that keeps the lines it is fed."""

    metrics: Sequence[Metric] = ()

    def __init__(self) -> None:
        self.lines: list[str] = []

    def feed(self, block: bytes) -> None:
        assert block.endswith(b"\n")
        self.lines += block.decode("utf-8", "replace").removesuffix("\n").split("\n")

    def skip(self) -> None:
        raise AssertionError("nothing is too long here")

    def save(self) -> Mapping[str, JSON]:
        return {"lines": self.lines}

    def load(self, state: Mapping[str, JSON]) -> None:
        match state:
            case {"lines": [*lines]}:
                self.lines = [str(line) for line in lines]
            case _:
                raise ValueError("no lines")

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        yield from ()
        assert (site, log) in (("intranet", "syslog-access"), ("intranet", "syslog-event"))


class Heard:
    """A receiver with what it has counted."""

    def __init__(self, receiver: SyslogReceiver) -> None:
        self.receiver = receiver

    @property
    def port(self) -> int:
        bound = self.receiver.bound(30)
        assert isinstance(bound, tuple)
        return bound[1]

    def failed(self) -> str:
        """Why it does not listen, as soon as it has tried."""
        return str(eventually(lambda: self.receiver.problem))

    def send(self, *datagrams: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in datagrams:
                sender.sendto(datagram, ("127.0.0.1", self.port))

    def values(self) -> dict[str, float]:
        """Each series as `name/label value/...`, without zope_ and the site."""
        return {
            "/".join((sample.metric.name.removeprefix("zope_"), *sample.labels[1:])): sample.value
            for sample in self.receiver.collect()
        }

    def messages(self) -> int:
        """How many have been received, dropped ones too."""
        return int(
            sum(
                value
                for name, value in self.values().items()
                if name.startswith(("syslog_messages_total", "syslog_dropped_messages_total"))
            )
        )

    def after(self, messages: int) -> dict[str, float]:
        """The values once so many messages have come."""
        eventually(lambda: self.messages() >= messages)
        return self.values()


@contextmanager
def hearing(
    listen: str = "udp:127.0.0.1:0",
    counters: Counters | None = None,
    settings: SyslogSettings | None = None,
    state: Path | None = None,
    quota: CpuQuota | None = None,
) -> Iterator[Heard]:
    receiver = SyslogReceiver(
        "intranet",
        settings or SyslogSettings(listen),
        counters or Counters(Lines(), Lines()),
        LogStore(state),
        quota,
        clock=lambda: NOON,
    )
    try:
        yield Heard(receiver)
    finally:
        receiver.stop()
