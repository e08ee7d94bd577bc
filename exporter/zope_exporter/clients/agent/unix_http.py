"""One request to a Unix socket and all of its answer, within one deadline and one size.

Not httpx: its timeouts begin anew with every byte, and it does not tell which process answers.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.system.unix_sockets import unix_address

from .errors import AgentError

LARGEST = 4 << 20
_PIECE = 1 << 16
_CREDENTIALS = struct.Struct("3i")


def exchange(path: Path, request: bytes, deadline: float, pid: int | None = None) -> bytes:
    """Send `request` to the socket `path`; return what comes until the other end closes.

    `deadline` is a time of the monotonic clock. With `pid`, only that process may listen there.
    Raises AgentError.
    """
    try:
        with _connected(path, deadline) as link:
            _check_owner(path, link, pid)
            link.sendall(request)
            return _receive(link, deadline)
    except TimeoutError:
        raise AgentError("the agent does not answer in time") from None
    except PermissionError:
        raise AgentError(
            f"{path} may not be used: run zope-exporter as the user of Zope, or set socket-mode and"
            " socket-group in <product-config zope-exporter>"
        ) from None
    except ConnectionRefusedError:
        raise AgentError(f"nobody listens at {path}: the agent that made it is dead") from None
    except BlockingIOError:
        raise AgentError("the agent takes no more questions") from None
    except OSError as error:
        raise AgentError(f"{path} cannot be used: {error.strerror or error}") from None


@contextmanager
def _connected(path: Path, deadline: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link, unix_address(path) as address:
        link.settimeout(_left(deadline))
        link.connect(address)
        yield link


def _check_owner(path: Path, link: socket.socket, pid: int | None) -> None:
    raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    owner, _, _ = _CREDENTIALS.unpack(raw)
    # The kernel says 0 of a process in a container of its own.
    if pid is not None and owner not in (0, pid):
        raise AgentError(f"{path} is a foreign socket: process {owner} listens there, not {pid}")


def _receive(link: socket.socket, deadline: float) -> bytes:
    received = bytearray()
    while len(received) <= LARGEST:
        link.settimeout(_left(deadline))
        piece = link.recv(_PIECE)
        if not piece:
            return bytes(received)
        received += piece
    raise AgentError(f"the agent's answer is longer than {LARGEST >> 20} MiB")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
