"""Hosts that have nothing in common but a wire to this one: network namespaces."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.programs.cache import UnavailableError


@dataclass(frozen=True)
class Host:
    """What runs `within` it has an interface with this address, and this host reaches it there."""

    address: str
    within: tuple[str, ...]


@contextmanager
def separate_hosts(count: int) -> Iterator[list[Host]]:
    """Make so many; UnavailableError where network namespaces cannot be had."""
    if shutil.which("ip") is None:
        raise UnavailableError("needs ip of iproute2")
    with ExitStack() as made:
        yield [made.enter_context(_host(number)) for number in range(count)]


@contextmanager
def _host(number: int) -> Iterator[Host]:
    name = f"zx{os.getpid()}n{number}"  # at most 15 characters, as it names an interface too
    # Of the addresses that no network routes to others, four for each host of each test process.
    own = os.getpid() % 0x3FFF
    third = f"100.{64 + (own >> 8)}.{own & 0xFF}"
    here, there = f"{third}.{4 * number + 1}", f"{third}.{4 * number + 2}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", "wire", "netns", name)
        _ip("addr", "add", f"{here}/30", "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", name, "addr", "add", f"{there}/30", "dev", "wire")
        for interface in ("lo", "wire"):
            _ip("-n", name, "link", "set", interface, "up")
        yield Host(there, ("ip", "netns", "exec", name))
    finally:
        # The wire may outlast its namespace, for as long as the kernel takes to clear that away.
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
        _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    run = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if run.returncode:
        raise UnavailableError(f"ip {' '.join(arguments)}: {run.stderr.strip()}")
