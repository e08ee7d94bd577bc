"""Naming Unix sockets to the kernel, however long their paths are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107  # bytes the kernel takes


@contextmanager
def unix_address(path: Path) -> Iterator[bytes]:
    """A name of the socket that is short enough; raises OSError if its directory is not there."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield os.fsencode(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield os.fsencode(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
