"""One visit to a target: the request, the redirects it leads to, and the answer."""

import math
import ssl
import time
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import re2
from anyio.streams.tls import TLSAttribute

from zope_exporter import __version__
from zope_exporter.discovery.inventory import Target

from .result import Phases, Reason, Result
from .url import authorization, origin, redirected

MAX_BODY_BYTES = 1 << 20
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {
    "User-Agent": f"zope-exporter/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


class BodyTooLargeError(Exception):
    """The body went on past the limit."""


async def read_body(response: httpx.Response, keep: bool, deadline: float) -> bytes:
    """Read a body, not decompressed, to its end or the limit; return it if it is to be kept.

    Raises BodyTooLargeError past the limit, TimeoutError at the deadline (of the monotonic clock).
    """
    body = bytearray()
    length = 0
    async for chunk in response.aiter_raw():
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise BodyTooLargeError
        if keep:
            body += chunk
        # Thousands of small chunks come in one packet, and nothing a cancellation could interrupt
        # is awaited between them.
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


class Visit:
    """A visit under way, and what is known from it so far."""

    def __init__(self, target: Target, trust: ssl.SSLContext) -> None:
        self.url = httpx.URL(target.url)
        self._target = target
        self._trust = trust
        self._addresses: list[str] = []
        self._deadline = time.monotonic() + target.timeout
        self._phases = Phases()
        self._reason: Reason | None = None
        self._status: int | None = None
        self._match: bool | None = None
        self._expiry: float | None = None
        self._untrusted: bytes | None = None
        self._connection: Any = None

    def fail(self, reason: Reason) -> None:
        """Note what went wrong; only the first counts, the rest may be its consequence."""
        self._reason = self._reason or reason

    def result(self) -> Result:
        """Stop the clock and say how it went."""
        self._phases.stop()
        if self._untrusted is not None:
            self._expiry = _unverified_expiry(self._untrusted)
        phases = self._phases.seconds
        return Result(
            sum(phases.values()), phases, self._reason, self._status, self._match, self._expiry
        )

    async def run(self, addresses: list[str]) -> None:
        """Visit the host at these addresses, until the deadline at the latest."""
        self._addresses = addresses
        try:
            with anyio.fail_after(self._left()):
                await self._follow()
        except TimeoutError:
            self.fail("timeout")
        except httpx.TransportError as error:
            self.fail(self._reason_of(error))
        if self._connection is not None:  # httpcore loses it when cancelled in a TLS handshake
            await self._connection.aclose()
        if self._reason == "certificate":
            with anyio.move_on_after(self._left()):
                host, port = self.url.raw_host.decode("ascii"), self.url.port or 443
                self._untrusted = await _fetch_certificate(self._addresses[0], port, host)

    async def _follow(self) -> None:
        credentials, home = authorization(self.url), origin(self.url)
        async with httpx.AsyncHTTPTransport(verify=self._trust, trust_env=False) as transport:
            for _ in range(MAX_REDIRECTS + 1):
                headers = _HEADERS | (credentials if origin(self.url) == home else {})
                response = await self._connect(transport, headers)
                self._note(response)
                if not self._leads_on(response):
                    await self._judge(response)
                    return
                await response.aclose()
                onward = redirected(self.url, response.headers["Location"])
                if onward is None:
                    break
                self.url = onward
        self.fail("redirect")

    async def _connect(
        self, transport: httpx.AsyncHTTPTransport, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send the request to the first address that takes it.

        Each but the last may use its share of the time only: where IPv6 is a black hole, IPv4 still
        gets its turn.
        """
        *others, last = self._addresses
        for tried, address in enumerate(others):
            share = self._left() / (len(others) + 1 - tried)
            with anyio.move_on_after(share) as attempt:
                try:
                    return await self._send(transport, headers, address, attempt)
                except httpx.ConnectError:
                    if self._phases.current != "connect":
                        raise
        return await self._send(transport, headers, last, anyio.CancelScope())

    async def _send(
        self,
        transport: httpx.AsyncHTTPTransport,
        headers: Mapping[str, str],
        address: str,
        attempt: anyio.CancelScope,
    ) -> httpx.Response:
        async def trace(event: str, info: Mapping[str, Any]) -> None:
            self._phases.observe(event)
            if event == "connection.connect_tcp.complete":
                attempt.deadline = math.inf
                self._addresses = [address]
                self._connection = info["return_value"]

        request = httpx.Request(
            "GET",
            self.url.copy_with(host=address, userinfo=b""),
            headers={"Host": self.url.netloc.decode("ascii"), **headers},
            extensions={"trace": trace, "sni_hostname": self.url.raw_host.decode("ascii")},
        )
        return await transport.handle_async_request(request)

    def _note(self, response: httpx.Response) -> None:
        self._status = response.status_code
        connection = response.extensions["network_stream"].get_extra_info("ssl_object")
        if connection is not None:
            self._expiry = _verified_expiry(connection)

    def _leads_on(self, response: httpx.Response) -> bool:
        status = response.status_code
        wanted = self._target.any_answer or status in self._target.status
        return status in _REDIRECTS and "Location" in response.headers and not wanted

    async def _judge(self, response: httpx.Response) -> None:
        if not self._good(response.status_code):
            self.fail("status")
        wanted = self._target.expect is not None or self._target.expect_regex is not None
        try:
            body = await read_body(response, wanted, self._deadline)
        except BodyTooLargeError:
            if wanted:
                self.fail("body_too_large")
            return
        finally:
            await response.aclose()
        if not wanted:
            return
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            self.fail("encoding")
            return
        self._match = _matches(self._target, body)
        if not self._match:
            self.fail("content")

    def _good(self, status: int) -> bool:
        if self._target.status:
            return status in self._target.status
        return status < 500 if self._target.any_answer else 200 <= status < 300

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _reason_of(self, error: BaseException) -> Reason:
        if self._phases.current == "connect":
            # Of several addresses it is the last: that of the others is no longer known.
            return "refused" if _is_due_to(error, ConnectionRefusedError) else "connect"
        if self._phases.current == "tls":
            return "certificate" if _is_due_to(error, ssl.SSLCertVerificationError) else "tls"
        return "protocol"


def _is_due_to(error: BaseException | None, kind: type[OSError]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _matches(target: Target, body: bytes) -> bool:
    """Say whether a body is as the target expects; bytes that are not UTF-8 match no pattern."""
    text = body.decode("utf-8", "replace")
    if target.expect is not None and text.strip() != target.expect.strip():
        return False
    return target.expect_regex is None or re2.search(target.expect_regex, text) is not None


def _verified_expiry(connection: ssl.SSLObject) -> float | None:
    """Return the expiry, in seconds since the epoch, of the certificate a handshake verified."""
    certificate = connection.getpeercert() or {}
    expiry = certificate.get("notAfter")
    return ssl.cert_time_to_seconds(expiry) if isinstance(expiry, str) else None


def _unverified_expiry(certificate: bytes) -> float | None:
    """Return the expiry, in seconds since the epoch, of a certificate in DER, None if unreadable.

    The ssl module tells nothing of a certificate that it did not verify.
    """
    from cryptography import x509  # costs 8 MB, which only a site with a bad certificate pays

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except ValueError:
        return None


async def _fetch_certificate(address: str, port: int, host: str) -> bytes | None:
    """Return in DER the certificate a server shows for a host name, whether valid or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        stream = await anyio.connect_tcp(
            address, port, ssl_context=context, tls_hostname=host, tls_standard_compatible=False
        )
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return None
    async with stream:
        return stream.extra(TLSAttribute.peer_certificate_binary)  # noqa: S610 (not Django's)
