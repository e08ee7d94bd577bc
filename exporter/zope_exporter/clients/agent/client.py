"""Talking to the agent inside a Zope process: HTTP over its Unix socket.

Not with httpx: its timeouts begin anew with every byte, and it does not tell which process answers.
"""

import http.client
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from zope_exporter.clients.connection import connect_unix, left

from .answer import AgentError, Answer, UnansweredError
from .views import Slice, slices

LARGEST = 4 << 20
MOST_RECORDS = 100
_PIECE = 1 << 16
_AGAIN_SECONDS = 0.02
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class LongRequest:
    """A request over the agent's threshold; `start` in seconds since the epoch.

    `stack` is that of its thread, the innermost call last.
    """

    thread: str
    start: float | None
    method: str
    url: str
    stack: tuple[str, ...]


@dataclass(frozen=True)
class Pack:
    """The last pack of a database that the agent was asked for; times since the epoch."""

    id: int
    running: bool
    start: float | None
    end: float | None
    error: str | None


class NotOfferedError(AgentError):
    """The agent does not answer that at all, or not to our user."""


class AgentClient:
    """Asks one agent; each question is answered, or fails, within `timeout` seconds.

    With `pid`, a socket of another process is refused. Every method raises AgentError.
    """

    def __init__(self, path: Path, timeout: float, pid: int | None = None) -> None:
        self._path = path
        self._timeout = timeout
        self._pid = pid

    def status(self) -> Answer:
        """What the agent knows of its process, in numbers."""
        return self._ask("GET", "/v1/status")

    def requests(self) -> list[LongRequest]:
        """The requests that run for longer than the agent's threshold."""
        answer = self._ask("GET", "/v1/requests")
        count = answer.length("requests")
        if count is None:
            raise AgentError("the agent's answer has no requests")
        return [_long_request(answer, index) for index in range(count)]

    def views(self) -> list[Slice]:
        """What requests have done in the last day by view, in slices of time."""
        answer = self._ask("GET", "/v1/views")
        found = slices(answer)
        if answer.problems:
            raise AgentError(f"the agent's answer cannot be: {answer.problems[0]}")
        return found

    def start_pack(self, database: str, days: float) -> int:
        """Have the process pack a database in a thread of its own; return the number of the pack.

        The agent refuses it while another one runs. Raises UnansweredError where the process may
        pack, and nobody knows.
        """
        answer = self._ask("POST", "/v1/pack", {"database": database, "days": days})
        number = answer.number("id")
        if number is None:
            raise AgentError("the agent's answer has no id of the pack")
        return int(number)

    def packs(self) -> dict[str, Pack]:
        """The last pack of each database that the agent was asked for."""
        answer = self._ask("GET", "/v1/pack")
        found = {name: _pack(answer, name) for name in answer.keys("packs")}
        return {name: pack for name, pack in found.items() if pack is not None}

    def records(self, database: str, oids: Collection[int]) -> dict[int, bytes]:
        """Return the current records of objects of a RelStorage, without those it does not give.

        At most MOST_RECORDS at a time. Raises NotOfferedError of another storage.
        """
        deadline = time.monotonic() + self._timeout
        question: dict[str, object] = {"database": database, "oids": list(oids)}
        answer = self._ask("POST", "/v1/records", question)
        while answer.flag("reading"):
            if time.monotonic() + _AGAIN_SECONDS > deadline:
                raise AgentError("the database does not tell its agent in time")
            threading.Event().wait(_AGAIN_SECONDS)
            answer = self._ask("POST", "/v1/records", question)
        found = {oid: answer.data("records", str(oid)) for oid in oids}
        return {oid: data for oid, data in found.items() if data is not None}

    def _ask(self, method: str, path: str, question: dict[str, object] | None = None) -> Answer:
        body = b"" if question is None else json.dumps(question).encode()
        head = f"{method} {path} HTTP/1.0\r\nHost: agent\r\nContent-Length: {len(body)}\r\n\r\n"
        deadline = time.monotonic() + self._timeout
        raw = _exchange(self._path, head.encode() + body, deadline, self._pid)
        return _parse(raw, path)


class _Received:
    """Bytes in the place of the socket that http.client reads from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parse(raw: bytes, path: str) -> Answer:
    if not raw:
        raise UnansweredError("the agent closed the connection without an answer")
    response = http.client.HTTPResponse(cast("socket.socket", _Received(raw)))
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ValueError):
        raise UnansweredError("the agent's answer is not whole, or not HTTP") from None
    if response.status in (200, 202):
        return Answer(body)
    if response.status == 404:
        raise NotOfferedError(f"the agent knows no {path}: install the agent of this zope-exporter")
    refused = NotOfferedError if response.status == 403 else AgentError
    raise refused(_refusal(response.status, body))


def _refusal(status: int, body: bytes) -> str:
    try:
        reason = json.loads(body)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        reason = None
    if isinstance(reason, str) and reason.isprintable() and len(reason) < 500:
        return f"the agent refuses: {reason}"
    return f"the agent answered with status {status}"


def _long_request(answer: Answer, index: int) -> LongRequest:
    of = "requests", index
    lines = range(answer.length(*of, "stack") or 0)
    return LongRequest(
        thread=answer.text(*of, "thread") or "",
        start=answer.number(*of, "start"),
        method=answer.text(*of, "method") or "",
        url=answer.text(*of, "url") or "",
        stack=tuple(answer.text(*of, "stack", line) or "" for line in lines),
    )


def _pack(answer: Answer, name: str) -> Pack | None:
    number = answer.number("packs", name, "id")
    running = answer.flag("packs", name, "running")
    if number is None or running is None:
        return None
    return Pack(
        id=int(number),
        running=running,
        start=answer.number("packs", name, "start"),
        end=answer.number("packs", name, "end"),
        error=answer.text("packs", name, "error"),
    )


def _exchange(path: Path, request: bytes, deadline: float, pid: int | None = None) -> bytes:
    """Send `request` to the socket `path`; return what comes until the other end closes.

    `deadline` is a time of the monotonic clock. With `pid`, only that process may listen there.
    Raises AgentError, from the moment it is sent UnansweredError.
    """
    kind: type[AgentError] = AgentError
    try:
        with connect_unix(path, deadline) as link:
            _check_owner(path, link, pid)
            link.sendall(request)
            kind = UnansweredError
            return _receive(link, deadline)
    except TimeoutError:
        raise kind("the agent does not answer in time") from None
    except PermissionError:
        raise AgentError(
            f"{path} may not be used: run zope-exporter as the user of Zope, or set socket-mode and"
            " socket-group in <product-config zope-exporter>"
        ) from None
    except ConnectionRefusedError:
        raise AgentError(
            f"nothing listens at {path}: the agent that created it has ended"
        ) from None
    except BlockingIOError:
        raise AgentError("the agent accepts no more requests") from None
    except OSError as error:
        raise kind(f"{path} cannot be used: {error.strerror or error}") from None


def _check_owner(path: Path, link: socket.socket, pid: int | None) -> None:
    raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    owner, _, _ = _CREDENTIALS.unpack(raw)
    # The kernel says 0 of a process in a container of its own.
    if pid is not None and owner not in (0, pid):
        raise AgentError(f"{path} is a foreign socket: process {owner} listens there, not {pid}")


def _receive(link: socket.socket, deadline: float) -> bytes:
    received = bytearray()
    while len(received) <= LARGEST:
        link.settimeout(left(deadline))
        piece = link.recv(_PIECE)
        if not piece:
            return bytes(received)
        received += piece
    raise AgentError(f"the agent's answer is longer than {LARGEST >> 20} MiB")
