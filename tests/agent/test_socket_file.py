"""The agent's socket as a file: its mode, its name, and those that dead processes have left."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from Products.ZopeExporterAgent.socket_file import SocketFile

from tests.support.zopes.agent_answers import AgentSocket


@pytest.fixture
def open_socket() -> Iterator[object]:
    with ExitStack() as stack:

        def make(directory: Path, **settings: int) -> SocketFile:
            made = SocketFile(str(directory), **settings)
            stack.callback(made.close)
            return made

        yield make


def leave_behind(path: Path) -> None:
    """A socket nobody listens at any more."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def a_dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_it_is_named_after_the_process_and_for_its_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = SocketFile(str(tmp_path))
    finally:
        os.umask(old)
    path = tmp_path / f"zope-exporter-{os.getpid()}.sock"
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert not os.get_inheritable(made.listener.fileno())
    made.close()
    assert not path.exists()


def test_mode_and_group_are_as_set(tmp_path: Path, open_socket: object) -> None:
    assert callable(open_socket)
    group = os.getgroups()[0] if os.getgroups() else os.getgid()
    found = Path(open_socket(tmp_path, mode=0o660, group=group).path).stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == group


def test_a_path_longer_than_the_kernel_takes_is_reached_by_its_directory(
    tmp_path: Path, open_socket: object
) -> None:
    assert callable(open_socket)
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    leave_through = os.open(deep, os.O_RDONLY)
    try:
        left = deep / f"zope-exporter-{a_dead_process()}.sock"
        leave_behind(Path(f"/proc/self/fd/{leave_through}/{left.name}"))
        made = open_socket(deep)
        assert Path(made.path).is_socket()
        assert not left.exists()
        AgentSocket(Path(made.path)).connect().close()
    finally:
        os.close(leave_through)


def test_sockets_of_the_dead_go(tmp_path: Path, open_socket: object) -> None:
    assert callable(open_socket)
    dead = a_dead_process()
    gone = [tmp_path / f"zope-exporter-{dead}.sock", tmp_path / f"zope-exporter-{2**40}.sock"]
    stay = [
        tmp_path / f"zope-exporter-{os.getppid()}.sock",  # its process may be about to listen
        tmp_path / "zope-exporter-.sock",
        tmp_path / f"zope-exporter-{dead}.sock.old",
        tmp_path / f"other-{dead}.sock",
    ]
    for path in (*gone, *stay):
        leave_behind(path)
    file = tmp_path / f"zope-exporter-{a_dead_process()}.sock"
    file.write_text("not a socket")
    open_socket(tmp_path)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (*stay, file))


def test_a_socket_that_answers_stays_though_no_process_has_its_number(
    tmp_path: Path, open_socket: object
) -> None:
    """As when two containers share the directory."""
    assert callable(open_socket)
    path = tmp_path / f"zope-exporter-{a_dead_process()}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        open_socket(tmp_path)
        assert path.exists()


def test_what_an_earlier_life_of_the_same_number_left_is_replaced(
    tmp_path: Path, open_socket: object
) -> None:
    """As when a container starts again: its Zope has the same number each time."""
    assert callable(open_socket)
    leave_behind(tmp_path / f"zope-exporter-{os.getpid()}.sock")
    AgentSocket(Path(open_socket(tmp_path).path)).connect().close()


def test_a_directory_that_cannot_be_had_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / f"zope-exporter-{os.getpid()}.sock").mkdir()
    before = list(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="Address already in use"):
        SocketFile(str(tmp_path))
    with pytest.raises(OSError, match="No such file"):
        SocketFile(str(tmp_path / "nothing"))
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)
