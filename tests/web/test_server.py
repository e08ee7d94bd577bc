"""A server among peers that do not behave."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.support.web.server import (
    DEADLINE,
    Held,
    Steady,
    app_of,
    connect,
    eventually,
    exchange,
    get,
    read_to_end,
    serving,
    status,
)
from zope_exporter.web.connections import ConnectionLimits
from zope_exporter.web.server import Server

PATIENCE = 0.4
HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(160)
SPEND = get(headers=["Connection: close"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(limits=ConnectionLimits(patience=PATIENCE)) as server:
        yield server


@pytest.fixture(autouse=True)
def _all_is_well_afterwards(server: Server, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert status(exchange(server, SPEND)) == 200
    eventually(lambda: not server.server_state.connections)
    assert not [record for record in caplog.get_records("call") if record.exc_info]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(get("/" + "a" * 70_000), 431, id="long path"),
        pytest.param(get("/metrics?" + "a" * 70_000), 431, id="long query"),
        pytest.param(get(headers=["X-Long: " + "a" * 70_000]), 431, id="long header"),
        pytest.param(get(headers=[f"X-{n}: {n:0100}" for n in range(200)]), 431, id="200 headers"),
        pytest.param(get(headers=["X-Long: " + "a" * 2_000_000]), 400, id="endless header"),
        pytest.param(b"GET /metrics HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(get(headers=["Content-Length: -1"]), 400, id="negative length"),
        pytest.param(get(headers=["Content-Length: abc"]), 400, id="length of letters"),
        pytest.param(get(headers=["Content-Length: 1e3"]), 400, id="length as a float"),
        pytest.param(get(headers=["Content-Length: 9" + "9" * 40]), 400, id="absurd length"),
        pytest.param(
            get(headers=["Content-Length: 1", "Content-Length: 2"]), 400, id="two lengths"
        ),
        pytest.param(
            get(headers=["Content-Length: 5", "Transfer-Encoding: chunked"]) + b"0\r\n\r\n",
            400,
            id="length and chunks",
        ),
        pytest.param(get(headers=["Transfer-Encoding: gzip"]), 400, id="odd transfer encoding"),
        pytest.param(
            get(headers=["Transfer-Encoding: chunked"]) + b"zz\r\n\r\n", 400, id="no chunk"
        ),
        pytest.param(
            get(headers=["Transfer-Encoding: chunked"]) + b"-5\r\n\r\n", 400, id="negative chunk"
        ),
        pytest.param(get("/m\u00e9trics"), 400, id="path not ASCII"),
        pytest.param(get(headers=["X: a\0b"]), 400, id="NUL in a header"),
        pytest.param(b"GET\r\n\r\n", 400, id="method only"),
        pytest.param(b"\r\n\r\n\r\n\r\n{}\r\n\r\n", 400, id="no request"),
        pytest.param(HELLO, 400, id="TLS hello"),
        pytest.param(bytes(range(256)) * 64, 400, id="all bytes"),
        pytest.param(bytes(1000), 400, id="NULs"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, id="HTTP/2"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404, id="options of all"),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 404, id="connect"),
        pytest.param(
            b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
            b"Expect: 100-continue\r\n\r\n",
            405,
            id="asks before it sends",
        ),
        pytest.param(
            get(headers=["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: a"]),
            200,
            id="upgrade not taken",
        ),
        pytest.param(get(version="1.0"), 200, id="HTTP/1.0"),
    ],
)
def test_each_gets_one_answer_and_an_end(server: Server, request_: bytes, expected: int) -> None:
    answer = exchange(server, request_)
    assert status(answer) == expected
    assert b"Traceback" not in answer
    assert b"zope_exporter/" not in answer


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    requests = [get("/-/healthy"), get("/nowhere"), get("/-/ready"), SPEND]
    answer = exchange(server, b"".join(requests))
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"404", b"200", b"200"]


def test_garbage_after_a_request_does_not_spoil_its_answer(server: Server) -> None:
    answer = exchange(server, get() + b"\xff\xff\r\n\r\n")
    assert status(answer) == 200
    assert b"HTTP/1.1 400 " in answer


def test_garbage_in_a_body_nobody_wants(server: Server) -> None:
    answer = exchange(server, get(headers=["Transfer-Encoding: chunked"]), b"zz\r\n" * 10)
    assert status(answer) in {200, 400}


@pytest.mark.parametrize(
    ("opening", "drop"),
    [
        pytest.param(b"", b"", id="silent"),
        pytest.param(b"", b"\r\n", id="blank lines"),
        pytest.param(b"GET /metrics HT", b"", id="half a request"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nX: ", b"a", id="dripping header"),
        pytest.param(
            b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n",
            b"a",
            id="dripping body",
        ),
        pytest.param(
            get(headers=["Transfer-Encoding: chunked"]), b"1\r\na\r\n", id="dripping chunks"
        ),
        pytest.param(get("/-/healthy"), b"", id="idle after an answer"),
        pytest.param(get("/-/healthy"), b"G", id="dripping after an answer"),
    ],
)
def test_who_owes_us_bytes_is_cut_off(server: Server, opening: bytes, drop: bytes) -> None:
    with connect(server) as peer:

        def ended() -> bool:
            with suppress(TimeoutError):
                peer.sendall(drop)
                return not peer.recv(1 << 16)
            return False

        def cut_off() -> bool:
            with suppress(ConnectionError):
                peer.sendall(drop)
            return not server.server_state.connections

        peer.sendall(opening)
        peer.settimeout(PATIENCE / 10)
        with suppress(ConnectionError):
            eventually(ended)
        eventually(cut_off)


def test_who_does_not_read_is_cut_off() -> None:
    app = app_of(Steady(20_000))
    with (
        serving(app, limits=ConnectionLimits(patience=PATIENCE)) as server,
        connect(server) as peer,
    ):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(get() * 20)
        eventually(lambda: bool(server.server_state.connections))
        eventually(lambda: not server.server_state.connections)
        assert status(exchange(server, SPEND)) == 200


def test_a_body_nobody_reads_is_dropped_and_the_connection_ends(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n"
    answer = exchange(server, head, *[bytes(1 << 20)] * 19)
    assert status(answer) == 405


def test_what_follows_a_body_nobody_reads_gets_no_answer(server: Server) -> None:
    with connect(server) as peer:
        peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert status(read_to_end(peer)) == 405
        peer.sendall(b"123456789" + get())
        eventually(lambda: not server.server_state.connections)


def test_garbage_while_a_scrape_runs(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    with serving(app_of(held)) as server, connect(server) as peer:
        peer.sendall(get(headers=["Transfer-Encoding: chunked"]))
        eventually(held.begun.is_set)
        peer.sendall(b"zz\r\n")
        assert status(read_to_end(peer)) == 400
        held.release.set()
        eventually(lambda: not server.server_state.tasks)
    assert not [record for record in caplog.records if record.exc_info]


def test_half_open_connections_neither_last_nor_keep_a_scrape_waiting() -> None:
    limits = ConnectionLimits(patience=2.0, spared=0.1, connections=128)
    with serving(limits=limits) as server, ExitStack() as stack:
        half_open = [stack.enter_context(connect(server)) for _ in range(350)]
        for peer in half_open[::2]:
            peer.sendall(b"GET /metrics HT")
        for _ in range(10):
            assert httpx.get(f"{server.url}/metrics").status_code == 200
            assert len(server.server_state.connections) <= limits.connections
        for peer in half_open:
            assert read_to_end(peer) == b""


def test_one_too_many_shows_out_who_was_waited_for_longest() -> None:
    limits = ConnectionLimits(patience=DEADLINE * 10, spared=0.1, connections=2)
    with serving(limits=limits) as server, ExitStack() as stack:
        first, second, third = (stack.enter_context(connect(server)) for _ in range(3))
        assert read_to_end(first) == b""
        for peer in (second, third):
            peer.sendall(SPEND)
            assert status(read_to_end(peer)) == 200


def test_plain_http_is_no_tls(server: Server) -> None:
    context = ssl.create_default_context()
    with connect(server) as peer, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(peer, server_hostname="localhost")
