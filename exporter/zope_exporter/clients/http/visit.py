"""One visit to a target: the request, the redirects it leads to, and the answer."""

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

import httpcore
import httpx
import re2

from zope_exporter.clients.connection import left
from zope_exporter.discovery.inventory import Target

from .exchange import FAILURES, BodyTooLargeError, Route, exchange, read_body
from .result import Phases, Reason, Result
from .url import authorization, origin, redirected

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class Visit:
    """A visit under way, and what is known from it so far."""

    def __init__(self, target: Target, trust: ssl.SSLContext) -> None:
        self.url = httpx.URL(target.url)
        self._target = target
        self._trust = trust
        self._route = Route((), time.monotonic() + target.timeout)
        self._phases = Phases()
        self._reason: Reason | None = None
        self._status: int | None = None
        self._match: bool | None = None
        self._expiry: float | None = None
        self._untrusted: bytes | None = None

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

    def run(self, addresses: list[str]) -> None:
        """Visit the host at these addresses, until the deadline at the latest."""
        self._route.addresses = addresses
        try:
            self._follow()
        except TimeoutError:
            self.fail("timeout")
        except FAILURES as error:
            self.fail(self._reason_of(error))
        if self._reason == "certificate":
            self._untrusted = _fetch_certificate(self._route, self.url)

    def _follow(self) -> None:
        credentials, home = authorization(self.url), origin(self.url)
        for _ in range(MAX_REDIRECTS + 1):
            with self._answer(credentials if origin(self.url) == home else {}) as response:
                headers = httpx.Headers(response.headers)
                self._note(response)
                if not self._leads_on(response.status, headers):
                    self._judge(response, headers)
                    return
            onward = redirected(self.url, headers["Location"])
            if onward is None:
                break
            self.url = onward
        self.fail("redirect")

    def _answer(self, credentials: Mapping[str, str]) -> AbstractContextManager[httpcore.Response]:
        headers = {**_HEADERS, **credentials}
        trace = self._phases.observe
        return exchange(self._route, "GET", self.url, headers, trust=self._trust, trace=trace)

    def _note(self, response: httpcore.Response) -> None:
        self._status = response.status
        connection = response.extensions["network_stream"].get_extra_info("socket")
        if isinstance(connection, ssl.SSLSocket):
            self._expiry = _verified_expiry(connection)

    def _leads_on(self, status: int, headers: httpx.Headers) -> bool:
        wanted = self._target.any_answer or status in self._target.status
        return status in _REDIRECTS and "Location" in headers and not wanted

    def _judge(self, response: httpcore.Response, headers: httpx.Headers) -> None:
        if not self._good(response.status):
            self.fail("status")
        wanted = self._target.expect is not None or self._target.expect_regex is not None
        try:
            body = read_body(response, wanted, self._route.deadline)
        except BodyTooLargeError:
            if wanted:
                self.fail("body_too_large")
            return
        if not wanted:
            return
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            self.fail("encoding")
            return
        self._match = _matches(self._target, body)
        if not self._match:
            self.fail("content")

    def _good(self, status: int) -> bool:
        if self._target.status:
            return status in self._target.status
        return status < 500 if self._target.any_answer else 200 <= status < 300

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


def _verified_expiry(connection: ssl.SSLSocket) -> float | None:
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


def _fetch_certificate(route: Route, url: httpx.URL) -> bytes | None:
    """Return in DER the certificate a server shows for a host name, whether valid or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    (address,) = route.addresses
    try:
        with socket.create_connection((address, url.port or 443), left(route.deadline)) as peer:
            peer.settimeout(left(route.deadline))
            with context.wrap_socket(peer, server_hostname=url.raw_host.decode("ascii")) as shown:
                return shown.getpeercert(binary_form=True)
    except OSError:
        return None
