"""Servers that tests start, and the certainty that none is left."""

import itertools
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import psutil

from tests.support.programs.commands import Command, last_lines, surroundings
from tests.support.programs.processes import eventually
from zope_exporter.system.subprocesses import Child

# Three workers have as many each, all below those that Linux gives to clients.
_FIRST_PORT, _PORTS = 10_000, 7_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 3
_NUMBERS = itertools.count(os.getpid())  # another run on this host has others

# A shell's background jobs ignore SIGINT, and so would every server of tests run as one.
_HEEDING_SIGINT = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Server:
    """A program that serves, in a session of its own, until told to stop."""

    def __init__(
        self, command: Command, log: Path, changes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        heeding = [sys.executable, "-c", _HEEDING_SIGINT, *map(str, command)]
        self._child = Child(heeding, log, env=surroundings(changes))
        self._log = log
        self.pid = self._child.pid

    def wait_until(self, answers: Callable[[], bool], timeout: float = 60) -> None:
        """Return when it answers; AssertionError with its last words if it ends or takes longer."""
        try:
            eventually(lambda: self._runs() and answers(), timeout)
        except AssertionError as error:
            self._child.stop()
            raise AssertionError(f"{error}\n{self._log}:\n{last_lines(self._log)}") from None

    def _runs(self) -> bool:
        status = self._child.wait(0)
        assert status is None, f"ended with status {status}"
        return True

    def stop(self, order: signal.Signals = signal.SIGINT, timeout: float = 30) -> int:
        """Its exit status once it has obeyed `order`; AssertionError if it does not in time."""
        os.kill(self.pid, order)
        status = self._child.wait(timeout)
        assert status is not None, f"goes on after {order.name}:\n{last_lines(self._log)}"
        return status

    def end(self) -> None:
        """End it however it may be, or leave it be if it has ended."""
        self._child.stop()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listened on a moment ago, another one at each call.

    None that the kernel could give to some client meanwhile, nor that a process of the same run
    could take: a server whose port is taken ends, and whoever waits for it may get the answers of
    another one.
    """
    while True:
        port = _FIRST_PORT + _WORKER * _PORTS + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def processes_of(home: Path) -> list[psutil.Process]:
    """The running processes that have a path below `home` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        if process.pid != os.getpid() and any(f"{home}/" in f"{word}/" for word in words):
            found.append(process)
    return found


def end_processes_of(home: Path) -> None:
    """Kill all of them, daemons in sessions of their own too."""

    def none_left() -> bool:
        left = processes_of(home)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()  # psutil never hits another process that has got the same number
        return not left

    eventually(none_left)
