import os
import socket
import stat
from pathlib import Path

import pytest

from zope_exporter.logs.syslog.listen import ListenError, listening, parse_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("udp:127.0.0.1:5140", "udp:127.0.0.1:5140"),
        ("udp:[::1]:5140", "udp:[::1]:5140"),
        ("udp:localhost:514", "udp:127.0.0.1:514"),
        ("unix:/run/x/log.sock", "unix:/run/x/log.sock"),
        ("unixgram:/run/x/log.sock", "unix:/run/x/log.sock"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert str(parse_address(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "udp", "udp:5140", "udp::5140", "udp:127.0.0.1", "udp:127.0.0.1:70000", "udp:::1:x",
     "udp:a.example:514", "tcp:127.0.0.1:514", "unix:log.sock", "/run/log.sock"],
)  # fmt: skip
def test_what_is_no_address_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an address to listen at: give udp:127\.0\.0\.1"):
        parse_address(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sock"


def test_the_socket_is_private_works_and_is_removed_in_the_end(path: Path) -> None:
    mask = os.umask(0)
    try:
        with listening(parse_address(f"unix:{path}")) as receiver:
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"hello", str(path))
            assert receiver.recv(100) == b"hello"
    finally:
        os.umask(mask)
    assert not path.exists()


def test_the_mode_is_as_wanted_whatever_the_umask(path: Path) -> None:
    mask = os.umask(0o077)
    try:
        with listening(parse_address(f"unix:{path}"), mode=0o660):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o660
    finally:
        os.umask(mask)


def test_the_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    with listening(parse_address(f"unix:{path}")):
        assert path.is_socket()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_the_socket_of_a_living_process_is_left_alone(path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as living:
        living.bind(str(path))
        if kind == socket.SOCK_STREAM:
            living.listen()
        before = path.lstat()
        with pytest.raises(ListenError, match="already in use; end what listens there"):
            listening(parse_address(f"unix:{path}")).__enter__()
        assert path.lstat() == before


def test_nothing_but_a_socket_is_ever_removed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    before = sorted(tmp_path.iterdir())
    for name in ("file", "directory", "link", "fifo"):
        with pytest.raises(ListenError, match="it is not a socket; move it away"):
            listening(parse_address(f"unix:{tmp_path / name}")).__enter__()
    assert sorted(tmp_path.iterdir()) == before


def test_the_file_another_process_has_put_there_meanwhile_stays(path: Path) -> None:
    with listening(parse_address(f"unix:{path}")):
        path.unlink()
        path.write_text("not ours")
    assert path.read_text() == "not ours"


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/log.sock", "No such file or directory; make the directory"), ("x" * 200, "too long")],
)
def test_a_path_that_cannot_be_had_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ListenError, match=message):
        listening(parse_address(f"unix:{tmp_path / name}")).__enter__()


def test_a_port_that_is_taken_is_named() -> None:
    with (
        listening(parse_address("udp:127.0.0.1:0")) as first,
        pytest.raises(ListenError, match="already in use; end what listens there, or give another"),
    ):
        listening(parse_address(f"udp:127.0.0.1:{first.getsockname()[1]}")).__enter__()
