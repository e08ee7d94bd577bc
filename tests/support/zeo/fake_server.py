"""ZEO servers that are none: they say to whoever connects what the test wants them to."""

import json
import pickle
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from zope_exporter.clients.zeo.status import frame

STATUS: dict[str, Any] = {
    "connections": 2,
    "loads": 30,
    "stores": 27,
    "commits": 15,
    "aborts": 1,
    "active_txns": 2,
    "lock_time": 1800000000.25,
    "conflicts": 3,
    "conflicts_resolved": 4,
    "start": "Sun Nov 22 11:20:17 2026",
    "waiting": 1,
    "timeout-thread-is-alive": True,
    "last-transaction": "040d2f88e12fdfbb",
}
GREETING = frame(b"Z5")
MONITOR = """\
ZEO monitor server version 3.10.7
Sun Nov 22 11:20:17 2026

Storage: 1
Server started: Sun Nov 22 11:20:17 2026
Clients: 2
Clients verifying: 0
Active transactions: 2
Commit lock held for: 6
Commits: 15
Aborts: 1
Loads: 30
Stores: 27
Conflicts: 3
Conflicts resolved: 4

"""

Serve = Callable[[socket.socket], object]


@contextmanager
def fake_zeo(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Listen on a port; every connection is given to `serve`, in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the exporter has had enough
                if tls is None:
                    serve(self.request)
                else:
                    with tls.wrap_socket(self.request, server_side=True) as encrypted:
                        serve(encrypted)

    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def answering(answer: bytes, greeting: bytes = GREETING) -> Serve:
    """Greet, read the question and give this answer to it."""

    def serve(link: socket.socket) -> None:
        link.sendall(greeting)
        if link.recv(100) == frame(b"ruok"):
            link.sendall(answer)

    return serve


def sends(*parts: bytes) -> Serve:
    """Say this, and no more."""

    def send(link: socket.socket) -> None:
        for part in parts:
            link.sendall(part)

    return send


def greets_and(serve: Serve, *answers: bytes) -> Serve:
    """Greet, let the client say which protocol it speaks, answer its calls; go on with `serve`.

    With each answer it has heard all of the next call, the first of which is its registration.
    """

    def greet(link: socket.socket) -> None:
        link.sendall(GREETING)
        with link.makefile("rb") as stream:
            for answer in (b"", *answers, b""):
                link.sendall(answer)
                stream.read(int.from_bytes(stream.read(4), "big"))
        serve(link)

    return greet


def letting_in(serve: Serve) -> Serve:
    """Let a client in, and go on with `serve` when it calls."""
    return greets_and(serve, replying(1, bytes(8)))


def silent(link: socket.socket) -> None:
    """Hear all that is said, and answer nothing."""
    while link.recv(100):
        pass


def answers_on(link: socket.socket, calls: int | None = None) -> None:
    """Answer so many more calls, or all; only a client of ours may be at the other end."""
    with link.makefile("rb") as stream:
        while calls is None or calls:
            length = int.from_bytes(stream.read(4), "big")
            if not length:
                break
            number, *_ = pickle.loads(stream.read(length))
            link.sendall(replying(number, bytes(8)))
            calls = calls and calls - 1


def replying(call: int, answer: object, flag: int = 0) -> bytes:
    """Answer a call as ZEO does."""
    return frame(pickle.dumps((call, flag, ".reply", answer), 3))


def well(**changes: object) -> Serve:
    """Answer as a healthy server with storage 1 does."""
    return answering(frame(json.dumps({"1": {**STATUS, **changes}}).encode()))
