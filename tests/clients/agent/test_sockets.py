"""Which socket is that of a Zope's agent, among those of others and of the dead."""

import os
import socket
from dataclasses import replace
from pathlib import Path

from tests.support.faults.rights import public_directory, unprivileged
from zope_exporter.clients.agent.diagnosis import find_sockets
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
