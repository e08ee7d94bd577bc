"""Resolving names, above all when the resolver never answers."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hostile.names import Names
from tests.support.programs.cache import UnavailableError
from tests.support.programs.require import require
from zope_exporter.clients.http.resolve import Resolver

PROBE_SILENT_NAMES = """
import json, threading
from zope_exporter.discovery.inventory import Target
from zope_exporter.clients.http.probe import Prober

prober = Prober()
targets = [Target("t", f"http://{host}:1/", timeout=0.5) for host in ["a.test", "a.test", "b.test"]]
reasons = [prober.probe(target).reason for target in targets]
threads = [thread.name for thread in threading.enumerate()]
print(json.dumps({"reasons": reasons, "resolving": threads.count("resolve")}))
"""


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names({"two.test": ("127.0.0.2", "::1")})
    yield names
    names.release()


def test_every_address_once_and_in_order(names: Names) -> None:
    assert Resolver(names.getaddrinfo).addresses("two.test", 30) == ["127.0.0.2", "::1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up(names: Names, address: str) -> None:
    assert Resolver(names.getaddrinfo).addresses(address, 30) == [address]
    assert names.asked == []


def test_an_unknown_name(names: Names) -> None:
    with pytest.raises(socket.gaierror):
        Resolver(names.getaddrinfo).addresses("no.test", 30)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"])
def test_a_name_that_cannot_be(host: str) -> None:
    with pytest.raises(UnicodeError):
        Resolver().addresses(host, 30)


def test_a_resolver_that_hangs_costs_one_thread_a_host(names: Names) -> None:
    resolver = Resolver(names.getaddrinfo)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            resolver.addresses("silent.test", 0.05)
    assert [thread.name for thread in threading.enumerate()].count("resolve") == 1
    assert resolver.addresses("two.test", 30) == ["127.0.0.2", "::1"]
    names.release()
    for thread in threading.enumerate():
        if thread.name == "resolve":
            thread.join(30)
    names.known["silent.test"] = ("127.0.0.3",)
    assert resolver.addresses("silent.test", 30) == ["127.0.0.3"]


@contextmanager
def silent_dns_server() -> Iterator[socket.socket]:
    """Listen on the DNS port of some loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        for last in range(53, 250):
            try:
                listener.bind((f"127.0.53.{last}", 53))
            except PermissionError as error:
                raise UnavailableError("port 53 needs root") from error
            except OSError:
                continue
            yield listener
            return
    raise UnavailableError("port 53 is taken on every loopback address")


def in_own_mounts(files: dict[str, Path], program: str) -> str:
    """Run Python where some files are replaced by others; return what it printed."""
    mounts = [f"mount --bind {new} {old}" for old, new in files.items()]
    script = " && ".join([*mounts, 'exec "$0" -c "$1"'])
    command = ["unshare", "--mount", "sh", "-c", script, sys.executable, program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=25, check=False)
    except FileNotFoundError as error:
        raise UnavailableError("needs unshare of util-linux") from error
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        raise UnavailableError(f"needs the right to mount: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dns_server_that_never_answers(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        require(_refuse)
    with require(silent_dns_server) as listener:
        resolv, nsswitch = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
        address = listener.getsockname()[0]
        resolv.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")
        nsswitch.write_text("hosts: files dns\n")
        files = {"/etc/resolv.conf": resolv, "/etc/nsswitch.conf": nsswitch}
        report = json.loads(require(in_own_mounts, files, PROBE_SILENT_NAMES))
        listener.settimeout(0)
        assert b"\1a\4test" in listener.recv(4096)
    assert report == {"reasons": ["timeout"] * 3, "resolving": 2}


def _refuse() -> None:
    raise UnavailableError("a DNS server of one's own needs root")
