"""The server section of an ini file: where it listens and how many threads it runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .address import reachable
from .paste_component import Component

_WAITRESS = re.compile("waitress|zope2instance")  # Plone's recipe wraps waitress
_WAITRESS_THREADS = 4
_WAITRESS_PORT = 8080


@dataclass(frozen=True)
class WsgiServer:
    """Listeners as `host:port` to reach them from this host, or as paths of Unix sockets."""

    addresses: tuple[str, ...] = ()
    unix_sockets: tuple[str, ...] = ()
    threads: int | None = None


def read_server(server: Component, problems: list[str]) -> WsgiServer:
    """What a server section says, with waitress's defaults if it is a waitress."""
    is_waitress = bool(_WAITRESS.search(server.use + (server.get("paste.server_factory") or "")))
    default_port = str(_WAITRESS_PORT) if is_waitress else ""
    addresses, unix_sockets = [], []
    for text in _listeners(server, default_port):
        kind, _, path = text.partition(":")
        if kind == "unix":
            unix_sockets.append(path)
            continue
        try:
            addresses.append(_address(text, default_port))
        except ValueError:
            problems.append(f"{_where(server)}: a listener is not host:port; correct it")
    if not addresses and not unix_sockets:
        problems.append(f"{_where(server)}: no listener; add host and port, or listen")
    threads = _threads(server, problems)
    if threads is None and is_waitress:
        threads = _WAITRESS_THREADS
    return WsgiServer(tuple(dict.fromkeys(addresses)), tuple(unix_sockets), threads)


def _listeners(server: Component, default_port: str) -> Iterator[str]:
    """As host:port or unix:path. gunicorn has `bind`, Plone's recipe `fast-listen`."""
    listen = [server.get(option) for option in ("listen", "fast-listen", "bind")]
    unix_socket = server.get("unix_socket")
    host, port = server.get("host"), server.get("port")
    if any(listen):
        yield from " ".join(filter(None, listen)).replace(",", " ").split()
    elif unix_socket:
        yield f"unix:{unix_socket}"
    elif host is not None or port is not None or default_port:
        yield f"{host or ''}:{port or default_port}"


def _address(text: str, default_port: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, default_port
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError("no such port")
    return reachable(host.strip("[]"), number)


def _threads(server: Component, problems: list[str]) -> int | None:
    text = server.get("threads")
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        problems.append(f"{_where(server)}: threads is not a whole number; correct it")
        return None


def _where(server: Component) -> str:
    ini, section = server.sections[0]
    return f"{ini.path}: [{section}]"
