"""Where to listen."""

import errno
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

from zope_exporter.system.user_error import UserError

FLAG = "--web.listen-address"
SYSTEMD = "--web.systemd-socket"
FIRST_HANDED_OVER = 3  # sd_listen_fds(3)
BACKLOG = 1024
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_REASONS = {
    errno.EADDRINUSE: "the port is in use; stop what uses it or choose another",
    errno.EACCES: "ports below 1024 need a privilege; choose a higher one",
    errno.EADDRNOTAVAIL: "this host does not have the address; leave the host out to use all",
}


class ListenError(UserError):
    """Nothing can be listened on there; names the flag, the reason and the remedy."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{FLAG} {address!r}: {reason}")


def listen(address: str) -> socket.socket:
    """Return a socket listening on `[HOST]:PORT`, without a host on all addresses of both families.

    Raises ListenError.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise ListenError(address, "want [HOST]:PORT, such as :9673, 127.0.0.1:9673 or [::1]:9673")
    host, port = match["six"] or match["host"], int(match["port"])
    try:
        listener = _bind_all(port) if host in {"", "::"} else _bind(host, port)
    except socket.gaierror:
        raise ListenError(address, "the host has no address; correct its name") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ListenError(address, _REASONS.get(error.errno or 0, reason)) from None
    # What is accepted inherits it. asyncio sets it only on sockets that name their protocol, and
    # without it the body of an answer waits 40 ms for the acknowledgement of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextmanager
def listen_on(addresses: Sequence[str]) -> Iterator[list[socket.socket]]:
    """Listen on each of the addresses.

    Raises ListenError.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(listen(address)) for address in addresses]


@contextmanager
def handed_over(
    environ: Mapping[str, str], first: int = FIRST_HANDED_OVER
) -> Iterator[list[socket.socket]]:
    """Take the sockets that systemd listens on for us.

    Raises UserError if there is none, or one that is not of TCP.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal() or not int(count):
        raise UserError(f"{SYSTEMD}: systemd has handed over no socket; start the .socket unit")
    with ExitStack() as stack:
        yield [
            stack.enter_context(_taken(descriptor))
            for descriptor in range(first, first + int(count))
        ]


def _taken(descriptor: int) -> socket.socket:
    remedy = f"{SYSTEMD}: descriptor {descriptor} is not a TCP socket that listens"
    try:
        taken = socket.socket(fileno=descriptor)
    except OSError:
        raise UserError(f"{remedy}; give ListenStream=PORT in the .socket unit") from None
    tcp = taken.family in {socket.AF_INET, socket.AF_INET6} and taken.type == socket.SOCK_STREAM
    if not tcp or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        taken.detach()
        raise UserError(f"{remedy}; give ListenStream=PORT and Accept=no in the .socket unit")
    taken.set_inheritable(False)
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken


def local_url(listener: socket.socket, scheme: str = "http") -> str:
    """Return where what listens can be reached from this host."""
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _bind_all(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
            )
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 is there but switched off
                raise
    return socket.create_server(("", port), backlog=BACKLOG)


def _bind(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # As the official exporters do: of a name with addresses of both families, the IPv4 one.
    family, _, _, _, target = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return socket.create_server(target[:2], family=family, backlog=BACKLOG)
