"""A connection to a ZEO server by TCP, Unix socket or TLS, with one deadline for all of it."""

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zope_exporter.clients.connection import OURS, connect_unix, left
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.discovery.inventory import TlsFiles
from zope_exporter.system.foreign_file import opened

_PIECE = 1 << 16
_OURS = OURS | {errno.EADDRNOTAVAIL}  # of the last: no port is left
_LARGEST = 4 << 20


class ZeoError(Exception):
    """A ZEO server could not be asked, so that nothing is known of it: says why, to people."""


class NoAnswerError(ZeoError):
    """Nobody is there, or whoever is there says nothing at all."""


class InvalidAnswerError(ZeoError):
    """What is there does not answer as a ZEO server does."""


class Link:
    """Reads and writes until `deadline`, a time of the monotonic clock; raises ZeoError."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self._connection = connection
        self._heard = False

    def send(self, data: bytes) -> None:
        self._connection.settimeout(left(self.deadline))
        self._connection.sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        received = bytearray()
        while len(received) < count:
            piece = self._receive(min(count - len(received), _PIECE))
            if not piece and not self._heard:
                raise NoAnswerError("closes the connection without an answer")
            if not piece:
                raise InvalidAnswerError("closes the connection in the middle of its answer")
            received += piece
        return bytes(received)

    def read_within(self, seconds: float) -> bytes:
        """Return the next byte, none if the other end says nothing for so long."""
        self.deadline = time.monotonic() + seconds
        self._connection.settimeout(seconds)
        try:
            first = self._connection.recv(1)
        except TimeoutError:
            return b""
        if not first:
            raise InvalidAnswerError("closes the connection in the middle of its answer")
        return first

    def read_to_end(self, most: int) -> bytes:
        """All that comes until the other end closes."""
        received = bytearray()
        while piece := self._receive(_PIECE):
            received += piece
            if len(received) > most:
                raise InvalidAnswerError(f"gives an answer of more than {most} bytes")
        return bytes(received)

    def _receive(self, most: int) -> bytes:
        try:
            self._connection.settimeout(left(self.deadline))
            piece = self._connection.recv(most)
        except (TimeoutError, ConnectionError):
            if self._heard:
                raise InvalidAnswerError("does not finish its answer") from None
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


def _connect(address: str, deadline: float, resolver: Resolver) -> socket.socket:
    if "/" in address:
        return connect_unix(Path(address), deadline)
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


def tls_context(tls: TlsFiles) -> ssl.SSLContext:
    """Read the files anew, for certificates are renewed; raises ZeoError."""
    try:
        context = _trusting(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise ZeoError(f"{tls.ca}: no certificates to trust: {reason(error)}") from None
    context.check_hostname = tls.check_hostname
    if tls.certificate is None:
        return context
    try:
        with ExitStack() as stack:
            certificate = stack.enter_context(_certain(tls.certificate))
            key = stack.enter_context(_certain(tls.key)) if tls.key else None
            # Without a password here a locked key would make OpenSSL ask the terminal for it.
            context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        key = f" with the key {tls.key}" if tls.key else ""
        raise ZeoError(f"{tls.certificate}{key} cannot be used: {reason(error)}") from None
    return context


def _trusting(ca: Path | None) -> ssl.SSLContext:
    if ca is None or ca.is_dir():
        return ssl.create_default_context(capath=ca)
    with _certain(ca) as file:
        return ssl.create_default_context(cafile=file)


@contextmanager
def _certain(path: Path) -> Iterator[str]:
    """A name of a regular file that stays one until OpenSSL, which would wait for a FIFO, opens it.

    A zope.conf names these files.
    """
    with opened(path) as descriptor:
        if os.fstat(descriptor).st_size > _LARGEST:
            raise OSError(errno.EFBIG, f"larger than {_LARGEST} bytes")
        yield f"/proc/self/fd/{descriptor}"


def server_name(tls: TlsFiles, address: str) -> str:
    """The name the server's certificate must have; raises ZeoError where nothing tells."""
    host = "" if "/" in address else address.rpartition(":")[0].strip("[]")
    name = tls.hostname or host
    if not name and tls.check_hostname:
        raise ZeoError("needs server_hostname under zeo: to verify its certificate")
    return name


def reason(error: OSError) -> str:
    """What went wrong, without OpenSSL's file names and numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not understood").lower().replace("_", " ")
    return error.strerror or str(error)
