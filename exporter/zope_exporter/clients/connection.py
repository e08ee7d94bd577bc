"""What all clients share: deadlines, and connecting to Unix sockets, however long their paths are.

A deadline is a time of the monotonic clock.
"""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What this process lacks, which says nothing of the server."""
_LONGEST = 107  # bytes the kernel takes


def left(deadline: float) -> float:
    """Seconds until then; raises TimeoutError when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def connect_unix(path: Path, deadline: float) -> socket.socket:
    """Return a connection to a Unix socket; raises OSError, also if its directory is not there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short_name(path) as name:
            connection.settimeout(left(deadline))
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short_name(path: Path) -> Iterator[bytes]:
    """A name of the socket that is short enough for the kernel."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield os.fsencode(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield os.fsencode(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
