"""The socket that health checks of the container ask at."""

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.web.server import DEADLINE, eventually
from zope_exporter.system.healthcheck import VARIABLE, ask, main, socket_name
from zope_exporter.web.health import HealthSocket
from zope_exporter.web.listen import listen
from zope_exporter.web.server import Server


@pytest.fixture
def environ() -> dict[str, str]:
    return {VARIABLE: f"zope-exporter-test-{uuid.uuid4()}"}


@contextmanager
def telling(environ: dict[str, str], ready: threading.Event) -> Iterator[Server]:
    async def app(*_: object) -> None:
        raise AssertionError("nothing is asked of the app")

    with listen("127.0.0.1:0") as listener:
        server = Server(app, [listener])
        server.serve_health(socket_name(environ) or "", ready.is_set)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            eventually(lambda: server.started)
            yield server
        finally:
            server.stop()
            thread.join(DEADLINE)


def test_it_says_what_is_true(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    ready = threading.Event()
    with telling(environ, ready):
        assert main([], environ) == 0
        assert main(["ready"], environ) == 1
        ready.set()
        assert main(["ready"], environ) == 0
    assert main([], environ) == 1
    told = capsys.readouterr()
    assert told.out == "healthy\nready\n"
    assert told.err == "not ready\nzope-exporter does not answer: [Errno 111] Connection refused\n"


def test_without_a_name_there_is_no_socket_and_the_check_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert socket_name({}) is None
    assert socket_name({VARIABLE: ""}) is None
    assert main([], {}) == 1
    assert VARIABLE in capsys.readouterr().err


def test_a_name_is_that_of_one_container(tmp_path: Path) -> None:
    named = {VARIABLE: "a"}
    for container in ("mnt:[1]", "mnt:[2]"):
        (tmp_path / container).symlink_to(container)
    names = {socket_name(named, tmp_path / container) for container in ("mnt:[1]", "mnt:[2]")}
    assert names == {"\0a mnt:[1]", "\0a mnt:[2]"}
    assert socket_name(named, tmp_path / "missing") == "\0a"


def test_many_who_never_hang_up_do_not_keep_it_from_telling(environ: dict[str, str]) -> None:
    ready = threading.Event()
    name = socket_name(environ)
    assert name
    with telling(environ, ready), ExitStack() as stack:
        for _ in range(50):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.settimeout(DEADLINE)
            peer.connect(name)
            peer.setblocking(False)
            with suppress(OSError):  # it may have hung up already
                peer.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert ask(name) == ["healthy"]


def test_a_name_that_cannot_be_had_is_logged_and_costs_nothing_else(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ready = threading.Event()
    with telling(environ, ready), telling(environ, ready):
        assert main([], environ) == 0
    [record] = caplog.records
    assert record.message.startswith("health checks of the container will fail: ")
    with telling({VARIABLE: "long" * 30}, ready):
        assert "AF_UNIX path too long" in caplog.records[-1].message


def test_a_server_that_accepts_no_more_is_not_healthy(environ: dict[str, str]) -> None:
    import asyncio

    name = socket_name(environ)
    assert name

    async def tell() -> list[str]:
        health = HealthSocket(name, lambda: True)
        await health.start(lambda: False)
        try:
            return await asyncio.to_thread(ask, name)
        finally:
            health.stop()

    assert asyncio.run(tell()) == []
