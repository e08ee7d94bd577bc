"""Which socket is that of a Zope's agent, among those of others and of the dead."""

import os
import socket
from dataclasses import replace
from pathlib import Path

from tests.support.faults.rights import public_directory, unprivileged
from zope_exporter.clients.agent.sockets import find_sockets, is_alive
from zope_exporter.discovery.inventory import Process, Service


def bind(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def zope(home: Path, pid: int, start: float = 0.0) -> Service:
    return Service("zope", "client1", None, agent_home=home, process=Process(pid, start))


def test_two_zopes_with_one_client_home_and_what_dead_ones_left(tmp_path: Path) -> None:
    one, other, _ = (bind(tmp_path / f"zope-exporter-{pid}.sock") for pid in (42, 43, 44))
    assert find_sockets(zope(tmp_path, 42)) == [one]
    assert find_sockets(zope(tmp_path, 43)) == [other]
    assert find_sockets(zope(tmp_path, 45)) == []


def test_a_socket_older_than_the_process_is_of_an_earlier_one_of_that_number(
    tmp_path: Path,
) -> None:
    path = bind(tmp_path / "zope-exporter-42.sock")
    made = path.stat().st_mtime
    assert find_sockets(zope(tmp_path, 42, made - 60)) == [path]
    assert find_sockets(zope(tmp_path, 42, made + 60)) == []


def test_only_a_socket_will_do(tmp_path: Path) -> None:
    (tmp_path / "zope-exporter-42.sock").touch()
    (tmp_path / "zope-exporter-43.sock").symlink_to(bind(tmp_path / "other"))
    assert find_sockets(zope(tmp_path, 42)) == []
    assert find_sockets(zope(tmp_path, 43)) == []
    assert find_sockets(zope(tmp_path / "zope-exporter-42.sock", 42)) == []


def test_nothing_is_known_without_process_or_directory(tmp_path: Path) -> None:
    bind(tmp_path / "zope-exporter-42.sock")
    assert find_sockets(replace(zope(tmp_path, 42), process=None)) == []
    assert find_sockets(replace(zope(tmp_path, 42), agent_home=None)) == []


def test_what_the_configuration_gives_counts_whatever_it_is(tmp_path: Path) -> None:
    path = bind(tmp_path / "zope-exporter-42.sock")
    elsewhere = zope(Path("/nonexistent"), 42)
    given = Path("/run/zope/agent.sock")
    assert find_sockets(replace(elsewhere, agent_socket=given)) == [given]
    assert find_sockets(replace(elsewhere, agent_socket=given, process=None)) == [given]
    assert find_sockets(replace(elsewhere, agent_socket=tmp_path)) == [path]


def test_a_directory_that_may_not_be_looked_into() -> None:
    with public_directory() as directory:
        home = directory / "var"
        home.mkdir(mode=0o700)
        bind(home / f"zope-exporter-{os.getpid()}.sock")
        with unprivileged():
            assert find_sockets(zope(home, os.getpid())) == []


def listening(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_a_process_in_a_container_is_known_by_its_own_number(tmp_path: Path) -> None:
    path = bind(tmp_path / "zope-exporter-7.sock")
    (tmp_path / "proc/42").mkdir(parents=True)
    (tmp_path / "proc/42/status").write_text("Name:\tpython\nNSpid:\t42\t7\n")
    assert find_sockets(zope(tmp_path, 42), tmp_path / "proc") == [path]


def test_of_a_process_that_cannot_be_seen_the_last_living_socket_counts(tmp_path: Path) -> None:
    service = replace(zope(tmp_path, 1), process=None, agent_socket=tmp_path)
    assert find_sockets(service) == [tmp_path]  # which whoever connects is told of
    assert not is_alive(service)
    dead = tmp_path / "newer/host/zope-exporter-1.sock"
    with listening(tmp_path / "host/id/zope-exporter-1.sock"):
        dead.parent.mkdir(parents=True)
        bind(dead)
        os.utime(dead, (2e9, 2e9))
        assert find_sockets(service) == [tmp_path / "host/id/zope-exporter-1.sock"]
        assert is_alive(service)
    assert find_sockets(service) == [tmp_path]
    assert not is_alive(service)


def test_a_given_directory_is_searched_for_the_socket_of_the_process(tmp_path: Path) -> None:
    service = replace(zope(Path("/nonexistent"), 42), agent_socket=tmp_path)
    with (
        listening(tmp_path / "a/b/zope-exporter-42.sock") as one,
        listening(tmp_path / "a/b/c/zope-exporter-43.sock"),
    ):
        assert find_sockets(service) == [Path(one.getsockname())]
        assert find_sockets(replace(service, process=Process(43, 0.0))) == []
        assert find_sockets(replace(service, process=Process(44, 0.0))) == []
