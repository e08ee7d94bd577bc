"""Probing a target over HTTP."""

import ssl
import threading
from collections.abc import Callable, Iterable

from zope_exporter.discovery.inventory import Target

from .resolve import Resolver
from .result import Result
from .url import check_url


class Prober:
    """Probes targets, each within its timeout from name resolution to the last byte.

    Probes may run at the same time in several threads; they share the resolver and one store of
    trusted certificates, loaded by the first probe.
    """

    def __init__(
        self,
        resolver: Resolver | None = None,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._resolver = resolver or Resolver()
        self._make_trust = trust
        self._lock = threading.Lock()
        self._trust: ssl.SSLContext | None = None

    def probe(self, target: Target) -> Result:
        """Probe a target; whatever it does is the result.

        Raises ValueError if its URL cannot be probed, re2.error if its pattern is invalid, another
        OSError or RuntimeError if this host has no socket or thread left.
        """
        problem = check_url(target.url)
        if problem is not None:
            raise ValueError(f"the URL {problem}")
        # Only who probes needs httpx, and that before the clock of the visit begins to run.
        from .visit import Visit

        visit = Visit(target, self._trusted())
        host = visit.url.raw_host.decode("ascii")
        try:
            addresses = self._resolver.addresses(host, target.timeout)
        except TimeoutError:
            visit.fail("timeout")
        except (OSError, UnicodeError):
            visit.fail("dns")
        else:
            visit.run(addresses)
        return visit.result()

    def _trusted(self) -> ssl.SSLContext:
        with self._lock:
            if self._trust is None:
                self._trust = self._make_trust()
                self._trust.set_alpn_protocols(["http/1.1"])
                # httpcore does this before each handshake, which frees what a handshake that
                # begins in another thread may be reading.
                self._trust.set_alpn_protocols = _leave_alpn  # type: ignore[assignment, method-assign]
            return self._trust


def _leave_alpn(_: Iterable[str]) -> None:
    """Change nothing."""
