"""The server as a process: its end, its memory, its threads and files under load."""

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.web.server import DEADLINE, eventually, get, read_to_end, status
from zope_exporter.web.connections import DEFAULT_LIMITS
from zope_exporter.web.throttle import LOG_EVERY

CHILD = Path(__file__).parents[1] / "support" / "web" / "child.py"


class Child:
    """The process, with the address it serves on."""

    def __init__(self, popen: "subprocess.Popen[str]") -> None:
        assert popen.stdout
        self.popen = popen
        self.url = popen.stdout.readline().strip()
        self.process = psutil.Process(popen.pid)
        parts = urlsplit(self.url)
        self.host, self.port = str(parts.hostname), int(parts.port or 0)

    def say(self, line: str) -> None:
        assert self.popen.stdin
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return the exit status and what was written after the address."""
        self.popen.send_signal(number)
        output, errors = self.popen.communicate(timeout=DEADLINE)
        return self.popen.returncode, output, errors


@contextmanager
def child(series: str) -> Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, CHILD, series],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as popen:
        try:
            yield Child(popen)
        finally:
            popen.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_whatever_is_open(number: signal.Signals) -> None:
    with child("held") as server, ExitStack() as stack:
        openings = [b"", b"GET /met", get("/-/healthy"), get(), get() * 10]
        for opening in openings:
            peer = stack.enter_context(_connect(server))
            peer.sendall(opening)
        assert httpx.get(f"{server.url}/-/healthy").status_code == 200
        eventually(lambda: server.process.num_threads() > 3)  # main, standard input, scrape, source
        code, output, errors = server.end(number)
    assert (code, output) == (0, "ended well\n")
    assert "Traceback" not in errors


def test_a_thousand_scrapes_at_once_all_get_an_answer() -> None:
    with child("held") as server, ExitStack() as stack:
        assert httpx.get(f"{server.url}/-/healthy").status_code == 200
        files = server.process.num_fds()
        peers = []
        for _ in range(1000):
            peer = stack.enter_context(_connect(server))
            peer.sendall(get(headers=["Connection: close"]))
            peers.append(peer)
        # Before the first can end, so that the others find no place, however slow the server is.
        assert status(read_to_end(peers.pop())) == 503
        server.say("release")
        answers = Counter([503, *(status(read_to_end(peer)) for peer in peers)])
        assert set(answers) == {200, 503}
        assert answers[200] >= 40
        eventually(lambda: server.process.num_threads() == 1)
        eventually(lambda: server.process.num_fds() <= files)
        page = httpx.get(f"{server.url}/metrics").text
        assert f"zope_exporter_scrapes_refused_total {float(answers[503])}" in page
        _, _, errors = server.end(signal.SIGTERM)
    assert "Traceback" not in errors


def test_a_thousand_half_open_connections_leave_files_and_places_for_others() -> None:
    with child("1") as server, ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(_connect(server)).sendall(b"GET /met")
        for _ in range(3):
            assert httpx.get(f"{server.url}/metrics", timeout=DEADLINE).status_code == 200
            assert server.process.num_fds() < DEFAULT_LIMITS.connections + 50


def test_it_recovers_when_it_has_run_out_of_files_and_fills_no_log_meanwhile() -> None:
    began = time.monotonic()
    with child("1") as server, ExitStack() as stack:
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        few = server.process.num_fds() + 10
        server.process.rlimit(psutil.RLIMIT_NOFILE, (few, few))
        for _ in range(50):
            stack.enter_context(_connect(server)).sendall(b"GET /met")
        assert httpx.get(f"{server.url}/metrics", timeout=60).status_code == 200
        _, _, errors = server.end(signal.SIGTERM)
        minutes = (time.monotonic() - began) / LOG_EVERY
        assert 1 <= errors.count("a connection could not be accepted") <= 1 + minutes


@pytest.mark.parametrize("method", [b"GET /metrics", b"POST /metrics", b"POST /nowhere"])
def test_a_huge_body_takes_no_memory(method: bytes) -> None:
    megabyte = bytes(1 << 20)
    with child("1") as server, _connect(server) as peer:
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        before = server.process.memory_info().rss
        peer.sendall(method + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 400000000\r\n\r\n")
        most = before
        with suppress(ConnectionError):
            for _ in range(300):
                peer.sendall(megabyte)
                most = max(most, server.process.memory_info().rss)
            assert status(peer.recv(1 << 16)) in {200, 404, 405}
        assert most - before < 16 << 20
        assert httpx.get(f"{server.url}/metrics").status_code == 200


def _connect(server: Child) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=DEADLINE)
