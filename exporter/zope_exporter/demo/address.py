"""Where the exporter of the demo listens."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from .instance import DemoError, free_port

DEFAULT_ADDRESS = "127.0.0.1:9673"


def choose_address(
    wanted: str | None, echo: Callable[[str], None], default: str = DEFAULT_ADDRESS
) -> str:
    """The address to listen on: `wanted`, or else the default one, or else a free port, saying so.

    Raises DemoError if the address that is wanted cannot be had.
    """
    address = default if wanted is None else wanted
    problem = _problem(address)
    if problem is None:
        return address
    if wanted is not None:
        raise DemoError(f"--web.listen-address: cannot listen on {wanted!r}: {problem}")
    free = f"127.0.0.1:{free_port()}"
    echo(f"Something else listens on {default} already, so the metrics are on {free} this time.")
    return free


def browsable(address: str) -> str:
    """The URL under which this machine's browser finds what listens on `address`."""
    parts = urlsplit(f"//{address}")
    if parts.hostname in (None, "0.0.0.0", "::"):  # noqa: S104  not bound, only recognised
        return f"http://127.0.0.1:{parts.port}"
    return f"http://{address}"


def _problem(address: str) -> str | None:
    try:
        parts = urlsplit(f"//{address}")
        if parts.port is None:
            return "it has no port, as in 127.0.0.1:9673"
        for family, kind, protocol, _, bound in socket.getaddrinfo(
            parts.hostname, parts.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(bound)
                listener.listen()
    except (OSError, ValueError) as error:
        return str(error)
    return None
