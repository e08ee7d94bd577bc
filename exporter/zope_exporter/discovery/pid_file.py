"""The process that a PID file or the lock of a Data.fs names, if it is that one."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from zope_exporter.system.foreign_file import ForeignFileError, read

from .command_line import CommandLineError, parse
from .inventory import Process

_TICK = 1.0
_LARGEST = 100
_LOCK = ".lock"


def process_of(pid_file: Path, kind: str | None = None) -> Process | None:
    """Return the running process that wrote the file; None if there is none.

    With `kind` ("zope" or "zeo") only if its command line is that of such a server, for Zope leaves
    its file behind when it is killed, and containers have process ids of their own. Neither is it
    believed what another user wrote, nor the lock of a Data.fs that the process does not hold.
    Raises ForeignFileError for what is there but cannot be read.
    """
    try:
        process = psutil.Process(int(_content(pid_file)))
        started = process.create_time()
        status = pid_file.stat()
        # A later process of the same number is younger than the file.
        if started > status.st_mtime + _TICK or not process.cmdline():
            return None
        is_lock = pid_file.suffix == _LOCK
        if is_lock and not _may_hold(process.pid, status):
            return None
        users = process.uids()
        # What root writes into a file of another user stays the other's.
        if status.st_uid not in (0, users.real, users.effective) and (
            users.effective or not is_lock
        ):
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
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return b""
        raise


def _may_hold(pid: int, lock: os.stat_result) -> bool:
    """Whether the process has the lock open, as far as that may be seen."""
    try:
        opened = list(Path("/proc", str(pid), "fd").iterdir())
    except PermissionError:
        return True
    for descriptor in opened:
        with suppress(OSError):
            # By name first: to stat a file of a file system that hangs, hangs.
            if descriptor.readlink().suffix == _LOCK and os.path.samestat(descriptor.stat(), lock):
                return True
    return False


def _kind(argv: list[str]) -> str | None:
    try:
        command = parse(argv)
    except CommandLineError:
        return "unclear"
    return command.kind if command else None
