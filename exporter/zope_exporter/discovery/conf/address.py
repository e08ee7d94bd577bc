"""Addresses of listeners, spelled one way so that they can be compared."""

import os

_AS_SEEN_HERE = {
    "": "127.0.0.1",
    "*": "127.0.0.1",
    "0.0.0.0": "127.0.0.1",  # noqa: S104  (nothing is bound)
    "localhost": "127.0.0.1",
    "::": "::1",
}


def reachable(host: str, port: int) -> str:
    """`host:port` by which this host reaches what listens there."""
    host = _AS_SEEN_HERE.get(host.lower(), host.lower())
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def zeo_address(text: str) -> str:
    """An address of a ZEO server, as `host:port` or as the path of a Unix socket.

    Both sides of one connection give the same text unless they use different names of one host.
    Raises ValueError.
    """
    if "/" in text:
        path = os.path.normpath(text)
        return path if "/" in path else f"./{path}"
    # Every command reads the configuration, and few configurations have such an address in it.
    from ZConfig.datatypes import inet_connection_address

    host, port = inet_connection_address(text)
    if port is None:
        raise ValueError("no port")
    return reachable(host, port)
