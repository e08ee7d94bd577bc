"""What may have the name of a small file and is none: to open or to read it may take for ever."""

import os
import socket
from collections.abc import Callable
from pathlib import Path


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # By its short name in the directory: a Unix address has no room for most paths.
        directory = os.open(path.parent, os.O_PATH)
        server.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 << 30)


ODD: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "directory": Path.mkdir,
    "socket": _socket,
    "loop": lambda path: path.symlink_to(path),
    "sparse": _sparse,
}
"""How to make each of them, by its name."""
