"""One probe of servers that are well, gone, mute, slow, foreign or hostile, by every way in."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.server import free_port
from tests.support.zeo.fake_server import GREETING, MONITOR, Serve, answering, fake_zeo, well
from tests.support.zopes.fake_agent import fake_agent
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.clients.zeo.probe import ZeoProber, ZeoResult
from zope_exporter.clients.zeo.status import frame
from zope_exporter.discovery.inventory import ZeoServer

# More than any server here needs, and the end of a probe of one that never ends.
PATIENCE = 20.0
SOON = 0.3
LATER = 2.0  # enough to be heard at all


def probe(address: str, monitor: str = "", timeout: float = PATIENCE) -> ZeoResult:
    return ZeoProber(timeout).probe(ZeoServer("zeo", address, monitor=monitor))


def commits(answer: ZeoResult) -> int | None:
    assert (answer.up, answer.problem) == (True, "")
    assert answer.storages is not None
    return answer.storages["1"].commits


def test_over_tcp() -> None:
    with fake_zeo(well()) as address:
        assert commits(probe(address)) == 15


def test_over_a_unix_socket(tmp_path: Path) -> None:
    with fake_agent(tmp_path / "zeo.sock", well()) as path:
        assert commits(probe(str(path))) == 15
    assert probe(str(path)) == ZeoResult(False)
    assert probe(str(tmp_path / "nowhere/zeo.sock")) == ZeoResult(False)


def test_over_a_unix_socket_whose_path_is_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with fake_agent(tmp_path / "zeo.sock", well()) as path:
        path.rename(deep / "zeo.sock")
        assert commits(probe(str(deep / "zeo.sock"))) == 15


def test_a_unix_socket_that_may_not_be_used_says_nothing_of_the_server() -> None:
    with public_directory() as directory, fake_agent(directory / "zeo.sock", well()) as path:
        path.chmod(0o600)
        with unprivileged():
            answer = probe(str(path))
    assert answer.up is None
    assert answer.problem.endswith("run zope-exporter as the user of the server")


def test_nobody_there() -> None:
    assert probe(f"127.0.0.1:{free_port()}") == ZeoResult(False)


def drip(link: socket.socket) -> None:
    link.sendall(GREETING + frame(b"x" * 1000)[:4])
    while True:
        link.sendall(b"x")
        threading.Event().wait(0.02)


def flood(link: socket.socket) -> None:
    link.sendall(GREETING + b"\0\x0f\xff\xff")
    while True:
        link.sendall(b"x" * 65536)


def flood_of_greetings(link: socket.socket) -> None:
    while True:
        link.sendall(GREETING * 1000)


def wait_for_the_end(link: socket.socket) -> None:
    link.recv(100)


def greet_and_hang(link: socket.socket) -> None:
    link.sendall(GREETING)
    while link.recv(100):
        pass


SILENT: dict[str, Serve] = {
    "mute": wait_for_the_end,
    "closes at once": socket.socket.close,
}


@pytest.mark.parametrize("serve", SILENT.values(), ids=SILENT)
def test_silence_is_no_answer(serve: Serve) -> None:
    with fake_zeo(serve) as address:
        assert probe(address, timeout=SOON) == ZeoResult(False)


NONSENSE: dict[str, tuple[Serve, str]] = {
    "ssh": (lambda link: link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "speaks another protocol"),
    "smtp": (lambda link: link.sendall(b"220 mail ESMTP\r\n"), "speaks another protocol"),
    "other greeting": (answering(b"", frame(b"X5")), "speaks another protocol"),
    "huge greeting": (answering(b"", b"\0\xff\xff\xff"), "speaks another protocol"),
    "huge answer": (answering(b"\0\xff\xff\xff"), "speaks another protocol"),
    "no json": (answering(frame(b"pong")), "is no JSON"),
    "no storages": (answering(frame(b"[1]")), "answer without storages"),
    "cut off": (answering(frame(b"{}")[:5]), "in the middle of its answer"),
    "greets and hangs": (greet_and_hang, "does not finish its answer"),
    "drips": (drip, "does not finish its answer"),
    "floods": (flood, "is no JSON"),
    "greets for ever": (flood_of_greetings, "is no JSON"),
}


@pytest.mark.parametrize(("serve", "problem"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_named(serve: Serve, problem: str) -> None:
    slow = "finish" in problem
    with fake_zeo(serve) as address:
        answer = probe(address, timeout=LATER if slow else PATIENCE)
    assert answer.up is False
    assert answer.problem.startswith(f"{address} ")
    assert problem in answer.problem


def test_a_port_that_takes_no_connection_costs_no_more_than_the_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((host, port))
        began = time.monotonic()
        assert probe(f"{host}:{port}", timeout=SOON) == ZeoResult(False)
        assert time.monotonic() - began < PATIENCE
        for each in waiting:
            each.close()


def resolving(getaddrinfo: Callable[..., object]) -> ZeoProber:
    return ZeoProber(PATIENCE, Resolver(getaddrinfo))  # type: ignore[arg-type]  # of the parts used


def test_a_name_with_several_addresses_is_tried_at_each() -> None:
    with fake_zeo(well()) as address:
        port = int(address.rpartition(":")[2])
        found = [(0, 0, 0, "", ("::1", 0)), (0, 0, 0, "", ("127.0.0.1", 0))]
        prober = resolving(lambda *_, **__: found)
        assert commits(prober.probe(ZeoServer("zeo", f"zeo.test:{port}"))) == 15


def test_a_name_without_address_is_no_answer() -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert resolving(fail).probe(ZeoServer("zeo", "zeo.test:8100")) == ZeoResult(False)


def test_a_resolver_that_hangs_costs_no_more_than_the_timeout() -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[tuple[object, ...]]:
        released.wait(PATIENCE)
        return []

    prober = ZeoProber(SOON, Resolver(hang))
    assert prober.probe(ZeoServer("zeo", "zeo.test:8100")) == ZeoResult(False)
    released.set()


def test_what_this_process_lacks_says_nothing_of_the_server() -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    answer = resolving(fail).probe(ZeoServer("zeo", "zeo.test:8100"))
    assert answer == ZeoResult(None, problem="zeo.test:8100 Too many open files")


def test_the_monitor_port_of_zope_2() -> None:
    with fake_zeo(lambda link: link.sendall(MONITOR.encode())) as monitor:
        answer = ZeoProber(PATIENCE, clock=lambda: 1800000006.0).probe(
            ZeoServer("zeo", f"127.0.0.1:{free_port()}", monitor=monitor)
        )
    assert commits(answer) == 15
    assert answer.storages is not None
    assert answer.storages["1"].lock_acquired == 1800000000.0


def test_a_monitor_port_that_is_gone_is_not_the_server() -> None:
    with fake_zeo(well()) as address:
        assert commits(probe(address, monitor=f"127.0.0.1:{free_port()}")) == 15


def test_a_server_of_zodb3_without_monitor_port_is_up() -> None:
    with fake_zeo(lambda link: link.sendall(frame(b"Z3101"))) as address:
        assert probe(address) == ZeoResult(True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [(b"220 mail ESMTP\r\n", "is no monitor"), (b"x" * (2 << 20), "more than 1048576 bytes")],
    ids=["other", "endless"],
)
def test_a_monitor_port_that_talks_nonsense_is_named(text: bytes, problem: str) -> None:
    with fake_zeo(lambda link: link.sendall(text)) as monitor, fake_zeo(well()) as address:
        answer = probe(address, monitor=monitor)
    assert answer.up is False
    assert problem in answer.problem
