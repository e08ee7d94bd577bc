"""A real rsyslogd between a sender and a receiver, on loopback alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.commands import Command
from tests.support.programs.debian import tool
from tests.support.programs.server import Server, free_port

_CONF = """
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imuxsock" Socket="{path}")
action(type="omfwd" target="127.0.0.1" port="{target}" protocol="udp" template="{template}")
"""


@dataclass(frozen=True)
class Relay:
    """Where it takes messages."""

    port: int
    path: Path


@contextmanager
def rsyslog(
    home: Path, target: int, template: str, ready: Callable[[Relay], bool]
) -> Iterator[Relay]:
    """Run rsyslogd until the end; it forwards to UDP port `target` in one of its own templates.

    `ready` is asked until it says that messages come through.
    """
    program = tool("rsyslogd")
    relay = Relay(free_port(), home / "relay.sock")
    conf = home / "rsyslog.conf"
    conf.write_text(
        _CONF.format(port=relay.port, path=relay.path, target=target, template=template)
    )
    modules = [f"-M{path}" for path in program.parent.glob("usr/lib/*/rsyslog")]
    command: Command = [program, "-n", "-C", "-f", conf, "-i", home / "rsyslogd.pid", *modules]
    server = Server(command, home / "rsyslogd.log")
    try:
        server.wait_until(lambda: ready(relay))
        yield relay
    finally:
        server.end()
