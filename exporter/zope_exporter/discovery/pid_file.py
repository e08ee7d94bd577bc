"""The process a PID file means, if it is not a stale one."""

from pathlib import Path

import psutil

from zope_exporter.system.foreign_file import ForeignFileError, read

from .command_line import CommandLineError, parse
from .inventory import Process

_TICK = 1.0
_LARGEST = 100
_GONE = (FileNotFoundError, NotADirectoryError)


def process_of(pid_file: Path, kind: str | None = None) -> Process | None:
    """Return the running process that wrote the file; None if there is none.

    With `kind` ("zope" or "zeo") only if its command line is that of such a server, for Zope leaves
    its file behind when it is killed, and containers have process ids of their own. Raises
    ForeignFileError for what is there but cannot be read.
    """
    try:
        process = psutil.Process(int(_content(pid_file)))
        started = process.create_time()
        # A later process of the same number is younger than the file.
        if started > pid_file.stat().st_mtime + _TICK or not process.cmdline():
            return None
        if kind is None or _kind(process.cmdline()) in (kind, "unclear"):
            return Process(process.pid, started)
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def _content(pid_file: Path) -> bytes:
    try:
        return read(pid_file, _LARGEST)
    except ForeignFileError as error:
        if isinstance(error.__cause__, _GONE):
            return b""
        raise


def _kind(argv: list[str]) -> str | None:
    try:
        command = parse(argv)
    except CommandLineError:
        return "unclear"
    return command.kind if command else None
