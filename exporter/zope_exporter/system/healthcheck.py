"""Asks the exporter of this container how it is.

    python -m zope_exporter.system.healthcheck [ready]

It runs every few seconds, so it imports nothing of the exporter. It asks at a socket that serves
nothing else: whatever address the exporter listens on, it needs no password, trusts no certificate
and shows none.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

VARIABLE = "ZOPE_EXPORTER_HEALTH_SOCKET"
TIMEOUT = 4.0  # seconds; the Dockerfile and kubernetes.yaml allow one more
LONGEST_ANSWER = 100
MOUNTS = Path("/proc/self/ns/mnt")


def socket_name(environ: Mapping[str, str], mounts: Path = MOUNTS) -> str | None:
    """Return the abstract name of the socket, None if there shall be none.

    Such a name takes no file, which a container may have no place for, and is gone with its
    process. Containers may share a network and with it these names, but not their mounts.
    """
    name = environ.get(VARIABLE)
    if not name:
        return None
    try:
        return f"\0{name} {mounts.readlink()}"
    except OSError:  # where there is no /proc, which serves `serve` and the check alike
        return f"\0{name}"


def ask(name: str, timeout: float = TIMEOUT) -> list[str]:
    """Return the words that are true of the exporter: `healthy`, `ready`. Raises OSError."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(timeout)
        peer.connect(name)
        while len(answer) < LONGEST_ANSWER and (piece := peer.recv(LONGEST_ANSWER)):
            answer += piece
    return answer.decode("ascii", "replace").split()


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Return the exit code: 0 if it is what was asked for, 1 if not."""
    wanted = "ready" if "ready" in arguments else "healthy"
    name = socket_name(environ)
    if name is None:
        sys.stderr.write(f"{VARIABLE} is not set: give it and `serve` the same name in it\n")
        return 1
    try:
        is_so = wanted in ask(name)
    except OSError as error:
        sys.stderr.write(f"zope-exporter does not answer: {error}\n")
        return 1
    (sys.stdout if is_so else sys.stderr).write(f"{'' if is_so else 'not '}{wanted}\n")
    return 0 if is_so else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
