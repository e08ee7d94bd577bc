"""What the agent of a Zope answers at its socket."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs.processes import eventually

Answer = dict[str, Any]
GET_STATUS = b"GET /v1/status HTTP/1.1\r\nHost: agent\r\n\r\n"


def sockets_of(home: Path) -> list[Path]:
    return sorted(home.glob("**/zope-exporter-*.sock"))


class AgentSocket:
    """The agent at a socket, asked without any code of the exporter's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, page: str, timeout: float = 30) -> Answer:
        answer = self.send("GET", page, timeout=timeout)
        assert answer.status_code == 200, answer.text
        found: Answer = answer.json()
        assert found["protocol"] == 1
        return found

    def status(self, timeout: float = 30) -> Answer:
        return self.get("/v1/status", timeout)

    def send(
        self, method: str, page: str, json: object = None, timeout: float = 30
    ) -> httpx.Response:
        with self._address() as address:
            transport = httpx.HTTPTransport(uds=address)
            with httpx.Client(transport=transport, base_url="http://a", timeout=timeout) as client:
                return client.request(method, page, json=json)

    @contextmanager
    def _address(self) -> Iterator[str]:
        """One that is short enough however deep a test's directory lies."""
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            yield f"/proc/self/fd/{directory}/{self.path.name}"
        finally:
            os.close(directory)

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        try:
            with self._address() as address:
                peer.connect(address)
        except OSError:
            peer.close()
            raise
        peer.settimeout(30)
        return peer

    def exchange(self, *pieces: bytes) -> bytes:
        """Send raw bytes, and return what comes until the agent closes; a reset ends it too."""
        with self.connect() as peer:
            received = b""
            try:
                for piece in pieces:
                    peer.sendall(piece)
                while piece := peer.recv(65536):
                    received += piece
            except ConnectionError:
                pass
            return received


def agent_of(home: Path) -> AgentSocket:
    """The agent of the one Zope that runs in an instance's directory."""
    [path] = eventually(lambda: sockets_of(home))
    return AgentSocket(path)


def counts(rows: Sequence[Answer], **labels: str) -> int:
    """The sum of the rows' counts that have all these labels."""
    return sum(row["count"] for row in rows if labels.items() <= row.items())
