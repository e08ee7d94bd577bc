"""Reading a file somebody else wrote, without trusting its kind, its size or its encoding."""

import os
import stat
from pathlib import Path

MAX_BYTES = 4 * 1024 * 1024


class ConfigFileError(Exception):
    """A configuration file cannot be understood: names the file, the reason and a remedy.

    It never quotes the file, which may hold passwords.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def read_text(path: Path, problems: list[str]) -> str:
    """The text of a regular file of at most MAX_BYTES; raises ConfigFileError.

    Bytes that are not UTF-8 are replaced, and `problems` says so: Python 2 let Latin-1 comments
    pass, and they are no reason to lose the rest of the file.
    """
    try:
        data = _read_regular(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a possible file name"
        raise ConfigFileError(
            path, f"{reason}; correct the path, or let the exporter's user read the file"
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigFileError(path, f"larger than {MAX_BYTES} bytes; is this a configuration file?")
    if b"\0" in data:
        raise ConfigFileError(path, "not text; is this a configuration file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{path}, line {line}: not UTF-8; save the file as UTF-8")
        return data.decode("utf-8-sig", errors="replace")


def _read_regular(path: Path) -> bytes:
    # Opening a FIFO would otherwise wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", closefd=True) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return file.read(MAX_BYTES + 1)
