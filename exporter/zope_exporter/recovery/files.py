"""Reading files so that no error of the system goes unseen, nor without the name of its file."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zope_exporter.durable import named

CHUNK = 1 << 20


def is_there(path: Path) -> bool:
    """Unlike Path.exists, which from Python 3.14 on says no, too, where the system cannot tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def chunks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Give what is in a file, piece by piece."""
    while True:
        with named(path):
            chunk = file.read(CHUNK)
        if not chunk:
            return
        yield chunk
