"""What the client makes of agents that misbehave: an AgentError in time, never a wrong number."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.children import child, lines_until_ready
from tests.support.zopes.fake_agent import STATUS, answering, fake_agent, http
from zope_exporter.clients.agent.answer import AgentError
from zope_exporter.clients.agent.client import AgentClient, LongRequest, Pack

PATIENCE = 20.0  # of those that answer
IMPATIENCE = 0.3  # of those that never will


def silent(link: socket.socket) -> None:
    link.recv(4096)
    threading.Event().wait(PATIENCE)


def endless(link: socket.socket) -> None:
    link.recv(4096)
    link.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    while True:
        link.sendall(b"[" * 65536)


def dripping(link: socket.socket) -> None:
    link.recv(4096)
    while True:
        link.sendall(b"H")
        threading.Event().wait(0.01)


CUT = http(STATUS)[:-10]
DEEP = http(b'{"protocol": 1, "databases": ' + b"[" * 100_000)
CASES: dict[str, tuple[Callable[[socket.socket], object], float, str]] = {
    "silence": (silent, IMPATIENCE, "does not answer in time"),
    "a drop now and then": (dripping, IMPATIENCE, "does not answer in time"),
    "an answer without end": (endless, PATIENCE, "longer than 4 MiB"),
    "nothing": (lambda link: link.recv(4096), PATIENCE, "without an answer"),
    "garbage": (answering(os.urandom(5000)), PATIENCE, "not HTTP"),
    "half an answer": (answering(CUT), PATIENCE, "not whole"),
    "chunks that are none": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        PATIENCE,
        "not whole",
    ),
    "a head without end": (
        answering(b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 1000),
        PATIENCE,
        "not HTTP",
    ),
    "text": (answering(http(b"<html>")), PATIENCE, "is not JSON"),
    "deep nesting": (answering(DEEP), PATIENCE, "is not JSON"),
    "not a number": (answering(http(b'{"protocol": 1, "a": NaN}')), PATIENCE, "is not JSON"),
    "digits": (answering(http(b'{"protocol": 1, "a": ' + b"9" * 9999)), PATIENCE, "is not JSON"),
    "a list": (answering(http([1])), PATIENCE, "is not a JSON object"),
    "no protocol": (answering(http({})), PATIENCE, "speaks protocol unknown"),
    "protocol true": (answering(http({"protocol": True})), PATIENCE, "protocol unknown"),
    "a later protocol": (
        answering(http({"protocol": 2})),
        PATIENCE,
        "speaks protocol 2, and zope-exporter speaks 1: zope-exporter agent install",
    ),
    "an older agent": (answering(http({}, "404 Not Found")), PATIENCE, "knows no /v1/status"),
    "an error": (answering(http(b"oops", "500 Oops")), PATIENCE, "answered with status 500"),
}


@pytest.mark.parametrize("case", CASES)
def test_misbehaviour_is_named(tmp_path: Path, case: str) -> None:
    serve, timeout, reason = CASES[case]
    with (
        fake_agent(tmp_path / "agent.sock", serve) as path,
        pytest.raises(AgentError, match=reason),
    ):
        AgentClient(path, timeout).status()


def test_an_answer_in_chunks_is_an_answer(tmp_path: Path) -> None:
    raw = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{"protocol": 1\r\n1\r\n}\r\n'
    with fake_agent(tmp_path / "agent.sock", answering(raw + b"0\r\n\r\n")) as path:
        assert AgentClient(path, PATIENCE).status().problems == []


def test_a_path_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    short = tmp_path / "agent.sock"
    with fake_agent(short, answering(http(STATUS))):
        short.rename(deep / "agent.sock")
        answer = AgentClient(deep / "agent.sock", PATIENCE).status()
    assert answer.text("agent", "version") == "0.1.0"
    assert not [
        link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(deep)
    ]


def test_a_name_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be used: AF_UNIX path too long"):
        AgentClient(tmp_path / ("n" * 200), PATIENCE).status()


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be used: No such file"):
        AgentClient(tmp_path / "none.sock", PATIENCE).status()


def test_a_socket_whose_process_is_dead(tmp_path: Path) -> None:
    with fake_agent(tmp_path / "agent.sock", answering(http(STATUS))) as path:
        pass
    with pytest.raises(AgentError, match="the agent that created it has ended"):
        AgentClient(path, PATIENCE).status()


def test_a_socket_that_takes_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        with pytest.raises(AgentError, match="accepts no more requests"):
            AgentClient(path, PATIENCE).status()


FOREIGNER = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_socket_of_another_process_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with child(FOREIGNER, str(path)) as foreigner:
        lines_until_ready(foreigner)
        expected = f"foreign socket: process {foreigner.pid} listens there, not {os.getpid()}"
        with pytest.raises(AgentError, match=expected):
            AgentClient(path, PATIENCE, os.getpid()).status()


def test_a_socket_without_the_right_to_it() -> None:
    with ExitStack() as stack:
        path = stack.enter_context(public_directory()) / "agent.sock"
        stack.enter_context(fake_agent(path, answering(http(STATUS))))
        path.chmod(0)
        with unprivileged(), pytest.raises(AgentError, match="may not be used: run zope-exporter"):
            AgentClient(path, PATIENCE).status()


def test_the_right_process_is_believed(tmp_path: Path) -> None:
    with fake_agent(tmp_path / "agent.sock", answering(http(STATUS))) as path:
        assert AgentClient(path, PATIENCE, os.getpid()).status().number("workers", "threads") == 4


def test_long_requests(tmp_path: Path) -> None:
    found = {
        "protocol": 1,
        "threshold_seconds": 5.0,
        "requests": [
            {
                "thread": "waitress-2",
                "thread_id": 1,
                "start": 1.8e9,
                "method": "GET",
                "url": "/report",
                "stack": ["a.py:1 main", "b.py:2 wait"],
            },
            {"thread": 7, "stack": None},
        ],
    }
    with fake_agent(tmp_path / "agent.sock", answering(http(found))) as path:
        assert AgentClient(path, PATIENCE).requests() == [
            LongRequest("waitress-2", 1.8e9, "GET", "/report", ("a.py:1 main", "b.py:2 wait")),
            LongRequest("", None, "", "", ()),
        ]


def test_packs_are_started_and_watched(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def serve(link: socket.socket) -> None:
        asked.append(link.recv(4096))
        if asked[-1].startswith(b"POST"):
            link.sendall(http({"protocol": 1, "id": 7}, "202 Accepted"))
        else:
            pack = {"id": 7, "running": False, "start": 1.0, "end": 2.0, "error": "disk full"}
            link.sendall(http({"protocol": 1, "packs": {"main": pack, "odd": {}}}))

    with fake_agent(tmp_path / "agent.sock", serve) as path:
        client = AgentClient(path, PATIENCE)
        assert client.start_pack("main", 1.5) == 7
        assert client.packs() == {"main": Pack(7, False, 1.0, 2.0, "disk full")}
    assert asked[0].endswith(b'\r\n\r\n{"database": "main", "days": 1.5}')


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "a pack of main is running"}', "refuses: a pack of main is running"),
        (b'{"error": "\\u001b[2J"}', "answered with status 409"),
        (b'{"error": ["x"]}', "answered with status 409"),
        (b"[]", "answered with status 409"),
    ],
)
def test_a_pack_that_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    path, answer = tmp_path / "agent.sock", answering(http(body, "409 Conflict"))
    with fake_agent(path, answer), pytest.raises(AgentError, match=reason):
        AgentClient(path, PATIENCE).start_pack("main", 1)


WHOLE = http(STATUS)
HEADS = st.lists(
    st.sampled_from(
        (
            *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: x", b"a:", b":", b" "),
            *(b"Transfer-Encoding: chunked", b"Content-Type: \xff;=", b"\x00", b"HTTP/1.0 100 "),
        )
    )
).map(b"\r\n".join)
BODIES = st.sampled_from((b"", b"{}", b'{"protocol": 1}', b"5\r\n{}", b"0\r\n\r\n")) | st.binary()
ANSWERS = (
    st.integers(0, len(WHOLE) - 1).map(lambda end: WHOLE[:end])
    | st.binary()
    | st.tuples(st.sampled_from((b"HTTP/1.0 200 OK", b"HTTP/1.1 500")), HEADS, BODIES).map(
        lambda parts: b"\r\n".join((parts[0], parts[1], b"", parts[2]))
    )
)


@pytest.fixture
def repeating(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """An agent that gives the last of some answers."""
    answers = [b""]

    def serve(link: socket.socket) -> None:
        link.recv(4096)
        link.sendall(answers[-1])

    with fake_agent(tmp_path / "agent.sock", serve) as path:
        yield path, answers


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answer=ANSWERS)
def test_whatever_comes_is_an_agent_error_unless_it_is_a_whole_answer(
    repeating: tuple[Path, list[bytes]], answer: bytes
) -> None:
    path, answers = repeating
    answers.append(answer)
    try:
        found = AgentClient(path, PATIENCE).status()
    except AgentError:
        return
    assert b'{"protocol": 1}' in answer
    assert found.keys() == ("protocol",)
