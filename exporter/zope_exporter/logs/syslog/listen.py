"""Where to listen for syslog messages, and opening the socket there."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

# The kernel gives what net.core.rmem_max allows of it: room for bursts while we count.
RECEIVE_BUFFER = 4 * 1024 * 1024


class ListenError(Exception):
    """The socket cannot be opened: names the address, the reason and the remedy."""


@dataclass(frozen=True)
class Address:
    """A UDP address, or the path of a Unix datagram socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return (
            f"udp:[{self.host}]:{self.port}" if ":" in self.host else f"udp:{self.host}:{self.port}"
        )


def parse_address(text: str) -> Address:
    """Read `udp:HOST:PORT` or `unix:/path` (`unixgram:` is the same).

    A host is an IP address or localhost: asking a name server could keep us waiting.
    Raises ValueError with reason and example.
    """
    kind, _, rest = text.partition(":")
    if kind in ("unix", "unixgram") and rest.startswith("/"):
        return Address(path=Path(rest))
    host, _, port = rest.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        if kind == "udp" and 0 <= int(port) <= 65535:
            return Address(str(ip_address(host)), int(port))
    except ValueError:
        pass
    raise ValueError(
        f"{text!r} is not an address to listen at: give udp:127.0.0.1:5140, udp:[::1]:5140 or"
        " unix:/path"
    )


@contextmanager
def listening(address: Address, mode: int = 0o600) -> Iterator[socket.socket]:
    """Give a socket bound to the address; a Unix socket's file is of `mode` and ours to remove.

    Raises ListenError.
    """
    with _named(address):
        bound = _bind_udp(address) if address.path is None else _bind_unix(address.path, mode)
    with closing(bound):
        if address.path is None:
            yield bound
            return
        ours = _identity(address.path)
        try:
            yield bound
        finally:
            with suppress(OSError):
                if _identity(address.path) == ours:
                    address.path.unlink()


@contextmanager
def _named(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = {
            errno.EADDRINUSE: "end what listens there, or give another address",
            errno.EACCES: "give a port from 1024 on, or a directory the exporter may write",
            errno.ENOENT: "make the directory",
            0: "give a shorter path",
        }.get(error.errno or 0, "give an address of this host")
        reason = error.strerror or error
        raise ListenError(f"syslog cannot be received at {address}: {reason}; {remedy}") from error


def _bind_udp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    try:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        receiver.bind((address.host, address.port))
    except BaseException:
        receiver.close()
        raise
    return receiver


def _bind_unix(path: Path, mode: int) -> socket.socket:
    _remove_dead(path)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        os.fchmod(receiver.fileno(), 0o600)  # so that the file is never open to more, even at first
        receiver.bind(os.fspath(path))
        path.chmod(mode)
    except BaseException:
        receiver.close()
        raise
    return receiver


def _remove_dead(path: Path) -> None:
    """Remove the socket file of a process that has ended; raise for all else that is there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(
            f"syslog cannot be received at unix:{path}: it is not a socket; move it away, or give"
            " another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # something of another kind listens there
                raise
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
