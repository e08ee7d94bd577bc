"""Name resolution for probes of a hostile server, without a DNS server."""

import socket
import ssl
import threading
from typing import Any

import trustme

from zope_exporter.clients.http.probe import Prober
from zope_exporter.clients.http.resolve import Resolver


class Names:
    """Names as `socket.getaddrinfo` gives them: `known` ones, and `silent.test`, which hangs.

    `asked` has every name looked for; `release` lets the hanging ones fail.
    """

    def __init__(self, known: dict[str, tuple[str, ...]] | None = None) -> None:
        self.known = known or {"good.test": ("127.0.0.1",)}
        self.asked: list[str] = []
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host == "silent.test":
            self._released.wait(120)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, kind, 0, "", (address, 0))
            for address in self.known[host]
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        ]


def prober(ca: trustme.CA, names: Names) -> Prober:
    """Make a prober that trusts one authority besides the system's and knows these names only."""

    def trust() -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        return context

    return Prober(Resolver(names.getaddrinfo), trust)
