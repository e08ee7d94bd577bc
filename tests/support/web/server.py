"""A real web server on a loopback port, and raw peers that need not behave."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from zope_exporter.metrics.metric import AnyCollector, Metric, Sample
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.app import make_app
from zope_exporter.web.connections import DEFAULT_LIMITS, ConnectionLimits
from zope_exporter.web.listen import listen
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.server import Server
from zope_exporter.web.webconfig import WebConfigFile

DEADLINE = 20.0  # seconds after which a test gives up, however slow the machine
SIZE = Metric("zope_size_bytes", "gauge", "Size of a thing.", ("name",))


class Steady:
    """A collector that always answers, with as many series as wanted."""

    name = "steady"
    metrics = (SIZE,)

    def __init__(self, series: int = 1) -> None:
        self._series = series

    def collect(self) -> Iterable[Sample]:
        return [SIZE(number, name=f'thing "{number}"') for number in range(self._series)]


class Held:
    """A collector that answers only when released; `begun` tells that a scrape has reached it."""

    name = "held"
    metrics = (SIZE,)

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()

    def collect(self) -> Iterable[Sample]:
        self.begun.set()
        assert self.release.wait(DEADLINE)
        return [SIZE(1, name="held")]


def app_of(*collectors: AnyCollector, most_scrapes: int = 40) -> Starlette:
    limit = ScrapeLimit(most_scrapes)
    registry = Registry([*collectors, limit])
    return make_app(registry, limit, routes=[Route("/", _front, methods=["GET"])])


async def _front(_: Request) -> Response:
    return PlainTextResponse("a page for people\n")


@contextmanager
def serving(
    app: ASGIApp | None = None,
    web_config: Path | None = None,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    address: str = "127.0.0.1:0",
    token_prefix: str | None = None,
) -> Iterator[Server]:
    """Serve in a thread, for as long as the context lasts."""
    config = WebConfigFile(web_config) if web_config else None
    with listen(address) as listener:
        server = Server(app or app_of(Steady()), [listener], config, limits, token_prefix)
        thread = threading.Thread(target=server.run, name="server")
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(DEADLINE)
    assert not thread.is_alive()


def connect(server: Server) -> socket.socket:
    url = urlsplit(server.url)
    assert url.hostname
    assert url.port
    return socket.create_connection((url.hostname, url.port), timeout=DEADLINE)


def read_to_end(peer: socket.socket) -> bytes:
    """Return all the server sends until it closes; a reset counts as a close."""
    received = b""
    with suppress(ConnectionError):
        while piece := peer.recv(1 << 16):
            received += piece
    return received


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server closes."""
    with connect(server) as peer:
        with suppress(ConnectionError):
            for piece in pieces:
                peer.sendall(piece)
        return read_to_end(peer)


def status(answer: bytes) -> int:
    """Return the status of a raw answer."""
    return int(answer.split(b" ", 2)[1])


def eventually(check: Callable[[], bool]) -> None:
    """Wait until `check` holds."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not check():
        assert time.monotonic() < end, "waited in vain"
        pause.wait(0.02)


def get(path: str = "/metrics", headers: Sequence[str] = (), version: str = "1.1") -> bytes:
    """Return the bytes of a GET request."""
    lines = [f"GET {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()
