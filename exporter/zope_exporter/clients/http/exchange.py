"""One request and its answer, on a connection of its own, all of it before a deadline.

By httpcore in plain blocking code, for who asks has a thread to wait in: an event loop of its own
would cost each request five times as much. A deadline is a time of the monotonic clock.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import httpx

from zope_exporter import __version__
from zope_exporter.clients.connection import OURS, left

MAX_BODY_BYTES = 1 << 20
FAILURES = httpcore.NetworkError, httpcore.ProtocolError
"""What a server can do wrong, apart from taking too long."""
_SYSTEM = httpcore.SyncBackend()

Trace = Callable[[str, Mapping[str, Any]], None]


class BodyTooLargeError(Exception):
    """The body went on past the limit."""


class Route(httpcore.NetworkBackend):
    """The way to a server: `addresses` to be tried one after the other, until `deadline`.

    Once one has taken a connection it is the only one.
    """

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self.addresses = list(addresses)
        self.deadline = deadline

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (whose addresses they are)
        port: int,
        *_: Any,
        **__: Any,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that takes it.

        Each but the last may use its share of the time only: where IPv6 is a black hole, IPv4 still
        gets its turn.
        """
        *others, last = self.addresses
        for tried, address in enumerate(others):
            share = left(self.deadline) / (len(others) + 1 - tried)
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connect(address, port, share)
        return self._connect(last, port, left(self.deadline))

    def _connect(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        try:
            stream = _SYSTEM.connect_tcp(address, port, seconds)
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in OURS:
                raise error.__cause__ from None
            raise
        self.addresses = [address]
        return _Stream(stream, self.deadline)


class _Stream(httpcore.NetworkStream):
    """A connection of which each step has until the deadline: a timeout begins anew each time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            seconds = self._within(timeout)
        except TimeoutError:
            self.close()  # as the stream itself does when it fails
            raise
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _within(self, timeout: float | None) -> float:
        seconds = left(self._deadline)
        return seconds if timeout is None else min(seconds, timeout)


@contextmanager
def exchange(
    route: Route,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes = b"",
    *,
    trust: ssl.SSLContext | None = None,
    trace: Trace | None = None,
) -> Iterator[httpcore.Response]:
    """Send a request; give the answer, whose body is still to be read, until the block ends.

    `headers` are sent beside those that every request has, with the length of the `content` if
    there is any; `trust` is for https. `trace` is called with each event of httpcore's extension of
    that name. Raises TimeoutError at the deadline, one of FAILURES for what the server does wrong,
    another OSError if this host has no socket left.
    """
    own = {
        "Host": url.netloc.decode("ascii"),
        "User-Agent": f"zope-exporter/{__version__}",
        "Connection": "close",
    }
    length = {"Content-Length": str(len(content))} if content else {}
    request = httpcore.Request(
        method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=[*own.items(), *headers.items(), *length.items()],
        content=content,
        extensions={"trace": trace} if trace else {},
    )
    try:
        with httpcore.HTTPConnection(
            request.url.origin, trust, network_backend=route
        ) as connection:
            yield connection.handle_request(request)
    except httpcore.TimeoutException:
        raise TimeoutError from None


def read_body(response: httpcore.Response, keep: bool, deadline: float) -> bytes:
    """Read a body, not decompressed, to its end or the limit; return it if it is to be kept.

    Raises BodyTooLargeError past the limit, and what `exchange` raises.
    """
    body = bytearray()
    length = 0
    for chunk in response.iter_stream():
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise BodyTooLargeError
        if keep:
            body += chunk
        # Thousands of small chunks come in one packet, and none of them is waited for.
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)
