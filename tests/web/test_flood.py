"""Thousands of half requests from one address, and what others see of them."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.web.server import DEADLINE, serving
from zope_exporter.web.connections import DEFAULT_LIMITS
from zope_exporter.web.server import Server

HALF_REQUESTS = 5000
# It tells when all are open, and holds them until its input ends.
FLOOD = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
source, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
held = []
for _ in range(count):
    peer = socket.socket()
    peer.bind((source, 0))
    peer.settimeout(60)
    peer.connect(("127.0.0.1", port))
    try:
        peer.send(b"GET /metrics HT")
    except ConnectionError:
        pass
    held.append(peer)
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def flood_from(address: str, server: Server) -> Iterator["subprocess.Popen[str]"]:
    arguments = [address, str(urlsplit(server.url).port), str(HALF_REQUESTS)]
    process = subprocess.Popen(
        [sys.executable, "-c", FLOOD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_others_and_even_itself_are_served_in_a_flood(address: str) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < HALF_REQUESTS + 100:
        pytest.skip("a process may not have as many files open here")
    with serving() as server, flood_from(address, server) as flood:
        assert flood.stdout
        most = 0
        for path in ("/-/healthy", "/metrics") * 10:  # while they arrive
            assert httpx.get(server.url + path, timeout=DEADLINE).status_code == 200
            most = max(most, len(server.server_state.connections))
        assert flood.stdout.readline() == "open\n"
        for path in ("/-/healthy", "/metrics"):
            assert httpx.get(server.url + path, timeout=DEADLINE).status_code == 200
        # Some more are closing: they are told apart no longer.
        assert most < 2 * DEFAULT_LIMITS.per_address
