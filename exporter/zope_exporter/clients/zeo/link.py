"""A connection to a ZEO server by TCP, Unix socket or TLS, with one deadline for all of it."""

import errno
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.discovery.inventory import TlsFiles
from zope_exporter.system.unix_sockets import unix_address

from .errors import NoAnswerError, NonsenseError, ZeoError
from .tls import reason, server_name, tls_context

_PIECE = 1 << 16

# What this process lacks, which says nothing of the server.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL})


class Link:
    """Reads and writes until `deadline`, a time of the monotonic clock; raises ZeoError."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._heard = False

    def send(self, data: bytes) -> None:
        self._connection.settimeout(left(self._deadline))
        self._connection.sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        received = bytearray()
        while len(received) < count:
            piece = self._receive(min(count - len(received), _PIECE))
            if not piece and not self._heard:
                raise NoAnswerError("closes the connection without an answer")
            if not piece:
                raise NonsenseError("closes the connection in the middle of its answer")
            received += piece
        return bytes(received)

    def read_to_end(self, most: int) -> bytes:
        """All that comes until the other end closes."""
        received = bytearray()
        while piece := self._receive(_PIECE):
            received += piece
            if len(received) > most:
                raise NonsenseError(f"gives an answer of more than {most} bytes")
        return bytes(received)

    def _receive(self, most: int) -> bytes:
        try:
            self._connection.settimeout(left(self._deadline))
            piece = self._connection.recv(most)
        except (TimeoutError, ConnectionError):
            if self._heard:
                raise NonsenseError("does not finish its answer") from None
            raise
        self._heard = self._heard or bool(piece)
        return piece


@contextmanager
def connected(
    address: str, tls: TlsFiles | None, deadline: float, resolver: Resolver
) -> Iterator[Link]:
    """Connect to `host:port` or the path of a Unix socket; raises ZeoError, then and later on."""
    context = tls_context(tls) if tls else None
    name = server_name(tls, address) if tls else ""
    try:
        with _connect(address, deadline, resolver) as connection:
            if context is None:
                yield Link(connection, deadline)
                return
            connection.settimeout(left(deadline))
            with context.wrap_socket(connection, server_hostname=name or None) as encrypted:
                yield Link(encrypted, deadline)
    except TimeoutError:
        raise NoAnswerError("does not answer in time") from None
    except PermissionError:
        raise ZeoError("may not be used: run zope-exporter as the user of the server") from None
    except ssl.SSLError as error:
        raise ZeoError(f"TLS fails: {reason(error)}") from None
    except UnicodeError:
        raise ZeoError("has a name that no host can have") from None
    except OSError as error:
        told = error.strerror or "is not there"
        raise (ZeoError if error.errno in _OURS else NoAnswerError)(told) from None


def left(deadline: float) -> float:
    """Seconds until then; raises TimeoutError when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _connect(address: str, deadline: float, resolver: Resolver) -> socket.socket:
    if "/" in address:
        return _connect_unix(Path(address), deadline)
    host, _, port = address.rpartition(":")
    addresses = resolver.addresses(host.strip("[]"), left(deadline))
    for tried, candidate in enumerate(addresses, 1):
        try:
            # A share of the time, so that behind an IPv6 that leads nowhere IPv4 gets its turn.
            share = left(deadline) / (len(addresses) + 1 - tried)
            return socket.create_connection((candidate, int(port)), share)
        except OSError:  # noqa: PERF203  there are two
            if tried == len(addresses):
                raise
    raise NoAnswerError("has no address")


def _connect_unix(path: Path, deadline: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with unix_address(path) as name:
            connection.settimeout(left(deadline))
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection
