"""The agent's server with clients of all kinds; none of them keeps it from the others."""

import errno
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from Products.ZopeExporterAgent.conversation import RefusedError
from Products.ZopeExporterAgent.server import MOST_CLIENTS, THREAD_NAME, Server
from Products.ZopeExporterAgent.socket_file import SocketFile

from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import GET_STATUS, AgentSocket


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answer(request: Any) -> tuple[int, dict[str, Any]]:
    match request.path:
        case "/big":
            return 200, {"text": "x" * 3_000_000}
        case "/broken":
            raise KeyError("a secret")
        case "/refused":
            raise RefusedError(409, "not now")
    return 200, {"path": request.path, "body": request.body.decode(), "peer": request.peer}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def agent(tmp_path: Path, clock: Clock) -> Iterator[AgentSocket]:
    file = SocketFile(str(tmp_path))
    server = Server(file.listener, answer, lambda: 0.02, clock)
    thread = server.start()
    try:
        yield AgentSocket(Path(file.path))
    finally:
        server.stop()
        clock.now += 1
        thread.join(20)
        assert not thread.is_alive()
        file.close()


def said(response: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    return int(head.split()[1]), json.loads(body)


def test_it_answers_and_knows_its_peer(agent: AgentSocket) -> None:
    status, found = said(agent.exchange(b"POST /x HTTP/1.0\r\nContent-length: 4\r\n\r\nbodymore"))
    assert status == 200
    assert found == {"protocol": 1, "path": "/x", "body": "body", "peer": os.getuid()}


def test_a_request_may_come_byte_by_byte(agent: AgentSocket) -> None:
    pieces = [bytes([byte]) for byte in GET_STATUS]
    assert said(agent.exchange(*pieces))[1]["path"] == "/v1/status"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET /" + b"x" * 100_000, 431),
        (b"x" * 1_000_000, 431),
        (b"GET /refused HTTP/1.1\r\n\r\n", 409),
    ],
)
def test_what_is_no_request_is_refused(agent: AgentSocket, request_: bytes, status: int) -> None:
    response = agent.exchange(request_)
    # A client still sending may get a reset in place of the refusal.
    if response or len(request_) < 60_000:
        assert said(response)[0] == status
    assert said(agent.exchange(GET_STATUS))[0] == 200


def test_what_fails_is_said_without_its_text(
    agent: AgentSocket, caplog: pytest.LogCaptureFixture
) -> None:
    status, found = said(agent.exchange(b"GET /broken HTTP/1.1\r\n\r\n"))
    assert (status, found) == (500, {"protocol": 1, "error": "KeyError"})
    assert "Asked for what fails" in caplog.text


def test_the_silent_and_the_slow_keep_nobody_waiting_and_are_left(
    agent: AgentSocket, clock: Clock
) -> None:
    silent, slow, deaf = agent.connect(), agent.connect(), agent.connect()
    with silent, slow, deaf:
        slow.sendall(GET_STATUS[:10])
        deaf.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        assert said(agent.exchange(GET_STATUS))[0] == 200
        clock.now += 6
        assert silent.recv(1) == b""
        assert slow.recv(1) == b""
        received = read_all(deaf)
        assert 0 < len(received) < 3_000_000


def read_all(peer: socket.socket) -> bytes:
    received = b""
    while piece := peer.recv(65536):
        received += piece
    return received


def test_a_big_answer_is_sent_as_it_is_taken(agent: AgentSocket) -> None:
    with agent.connect() as peer:
        peer.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        assert len(said(read_all(peer))[1]["text"]) == 3_000_000


def test_those_who_hang_on_make_room_for_others(agent: AgentSocket) -> None:
    held = [agent.connect() for _ in range(MOST_CLIENTS + 10)]
    try:
        assert said(agent.exchange(GET_STATUS))[0] == 200
        assert held[0].recv(1) == b""
    finally:
        for peer in held:
            peer.close()
    assert [thread.name for thread in threading.enumerate()].count(THREAD_NAME) == 1


def test_a_socket_that_is_closed_while_it_ends_is_no_problem(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = SocketFile(str(tmp_path))

    class Closing:
        fileno = file.listener.fileno

        def accept(self) -> None:
            server.stop()
            raise OSError(errno.EBADF, "Bad file descriptor")

    server = Server(Closing(), answer, lambda: 0.02)
    thread = server.start()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(file.path)
        thread.join(20)
    assert not thread.is_alive()
    file.close()
    assert caplog.text == ""


def test_a_tick_that_fails_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ticks = []
    file = SocketFile(str(tmp_path))

    def tick() -> float:
        ticks.append(1)
        raise LookupError

    clock = Clock()
    server = Server(file.listener, answer, tick, clock)
    thread = server.start()
    try:
        eventually(lambda: len(ticks) == 1)
        assert said(AgentSocket(Path(file.path)).exchange(GET_STATUS))[0] == 200
        clock.now += 2
        eventually(lambda: len(ticks) == 2)
    finally:
        server.stop()
        clock.now += 2
        thread.join(20)
        file.close()
    assert caplog.text.count("The agent has a problem") == 1
