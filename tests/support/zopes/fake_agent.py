"""Agents that are none: servers on Unix sockets that answer as the test wants them to."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STATUS: dict[str, Any] = {
    "protocol": 1,
    "agent": {"version": "0.1.0", "pid": 42, "start": 1.8e9},
    "instance": {
        "versions": {"Zope": "6.3", "ZODB": "6.4", "ZEO": "6.2", "Python": "3.11.7"},
        "debug_mode": False,
        "config_hash": "c0ffee",
        "broken_classes": 2,
        "broken_names": ["Products.Gone.gone.Thing", "Products.Gone.gone.Other"],
        "broken_products": ["Shop"],
        "distributions": {"Products.CMFPlone": "6.2.2", "collective.shop": "1.0b2"},
        "upgrade_steps": {"collective.shop:default": [["1", "2"]]},
    },
    "databases": {
        "main": {
            "connections": {
                "in_use": 3,
                "idle": 2,
                "leaked": 1,
                "pool_size": 7,
                "oldest_open": 1800000000.25,
            },
            "cache": {
                "active": 10,
                "ghosts": 7,
                "target_objects": 5000,
                "bytes": 12345,
                "target_bytes": 0,
            },
            "activity": {"loads": 20, "stores": 5, "transactions": 4, "closes": 9},
            "pack_running": False,
            "storage": "FileStorage",
        },
        "catalog": {
            "connections": {
                "in_use": 0,
                "idle": 1,
                "leaked": 0,
                "pool_size": 7,
                "oldest_open": None,
            },
            "pack_running": None,
            "zeo": {
                "connected": True,
                "generation": 3,
                "cache": {
                    "objects": 100,
                    "hits": 500,
                    "adds": 120,
                    "added_bytes": 60000,
                    "evictions": 20,
                    "evicted_bytes": 9000,
                    "max_bytes": 20971520,
                },
            },
        },
        "users": {
            "relstorage": {
                "cache": {
                    "hits": 5,
                    "misses": 6,
                    "sets": 7,
                    "objects": 8,
                    "bytes": 900,
                    "limit_bytes": 10000000,
                },
                "store_connections": {"open": 2, "pooled": 1},
            },
            "sql": {"bytes": 9000000, "objects": 70000, "last_transaction": 1795000000.5},
        },
    },
    "conflicts": [
        {"database": "main", "kind": "write", "outcome": "retried", "count": 15},
        {"database": "", "kind": "read", "outcome": "failed", "count": 1},
    ],
    "requests": {
        "in_progress": 2,
        "oldest_start": 1800000000.5,
        "responses": {"200": 5, "404": 1, "204": 1, "999": 1},
        "methods": {"GET": {"200": 4, "404": 1, "999": 1}, "REPORT": {"200": 1, "204": 1}},
        "exceptions": {"KeyError": 1, "zExceptions.NotFound": 3, "no class": 1},
        "duration": {"bounds": [0.005, 1, 2.5], "counts": [3, 2, 1, 1], "sum": 7.5},
        "views": {
            "fields": ["requests", "seconds", "loads", "conflicts", "errors", "load_seconds"],
            "total": {
                "other": [1, 0.5, 2, 0, 0, 0.25],
                "pkg.Listing/listing": [5, 7.0, 400, 2, 1, 3.5],
            },
            "hour": {"pkg.Listing/listing": [3, 4.5, 200, 1, 0, 1.5]},
        },
        "long": {"threshold_seconds": 5.0, "count": 1},
    },
    "event_log": {
        "is_written": True,
        "records": {"INFO": 7, "WARN": 1, "Level 25": 2, "NOTICE": 1},
        "matches": {"started": 1, "POSKeyError": 2, "of another version": 5},
        "unmatched": 0,
        "apart": [],
    },
    "workers": {
        "server": "waitress",
        "threads": 4,
        "busy": 2,
        "queue": 1,
        "channels": 3,
        "connection_limit": 100,
    },
    "errors": {},
}


def http(document: object, status: str = "200 OK") -> bytes:
    """An answer in HTTP, as an agent gives it."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@contextmanager
def fake_agent(path: Path, serve: Callable[[socket.socket], object]) -> Iterator[Path]:
    """Listen on `path`; every connection is given to `serve`, in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the exporter has had enough
                serve(self.request)

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


def answering(answer: bytes) -> Callable[[socket.socket], object]:
    """Read the question and give this answer to it."""

    def serve(link: socket.socket) -> None:
        question = b""
        while b"\r\n\r\n" not in question:
            piece = link.recv(4096)
            if not piece:  # it only looked whether somebody listens
                return
            question += piece
        link.sendall(answer)

    return serve
