"""The lock that keeps a pack and a backup of one database from tearing each other.

It is a flock on the directory that holds the Data.fs, so that tools which know nothing of us can
take it too: `flock -n /srv/zope/var repozo …`. It needs no right but to read the directory, leaves
no file, and outlives the exchange of the Data.fs at the end of a pack.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.system.state import give_to_owner, make_directory

from .report import RefusedError, Report

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class LockPath:
    """What to lock: `directory` holds the Data.fs, None where none is on this host.

    `fallback` is a file of ours, for then and for file systems that lock no directories. It keeps
    away only those who know it: zope-exporter with the same state directory.
    """

    directory: Path | None
    fallback: Path


@dataclass(frozen=True)
class Patience:
    """For how many seconds to wait for a lock that is held, and how to pause in between."""

    seconds: float = 0.0
    pause: Callable[[float], object] = threading.Event().wait


@contextmanager
def locked(path: LockPath, patience: Patience, report: Report) -> Iterator[None]:
    """Hold the lock of a database. Raises RefusedError `busy` if it is held for too long."""
    descriptor = _open(path, report)
    try:
        _acquire(descriptor, patience, report)
        yield
    finally:
        os.close(descriptor)


def holder(descriptor: int, proc: Path = Path("/proc")) -> str:
    """Say which process holds the lock of an open file, as well as that can be known."""
    return _holder(os.fstat(descriptor), proc) or "another process"


def seen_holder(directory: Path, proc: Path = Path("/proc")) -> str | None:
    """Say which process holds the lock of a directory, by a look; None if none is seen."""
    try:
        return _holder(directory.stat(), proc)
    except OSError:
        return None


def _holder(status: os.stat_result, proc: Path) -> str | None:
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    wanted = f"{device}:{status.st_ino}"
    for line in (proc / "locks").read_text().splitlines():
        # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF; those who wait have an arrow.
        words = line.split()
        if words[1] == "FLOCK" and words[5] == wanted and words[4].isdigit() and words[4] != "0":
            return _process(int(words[4]))
    return None


def _process(pid: int) -> str:
    import psutil  # for the one line of a lock that is held

    try:
        return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"process {pid}"


def _open(path: LockPath, report: Report) -> int:
    if path.directory is not None:
        try:
            return _lockable(path.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            report.say(
                f"{path.directory} cannot be locked ({error.strerror}): only other actions of"
                " zope-exporter are kept away meanwhile"
            )
    make_directory(path.fallback.parent)
    descriptor = _lockable(path.fallback, os.O_RDWR | os.O_CREAT)
    give_to_owner(path.fallback)
    return descriptor


def _lockable(path: Path, flags: int) -> int:
    """Open what can be locked, and lock it if it is free."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        _try(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _acquire(descriptor: int, patience: Patience, report: Report) -> None:
    until = time.monotonic() + patience.seconds
    said = ""
    while not _try(descriptor):
        who = holder(descriptor)
        if time.monotonic() >= until:
            reason = f"{who} holds the lock of the database"
            raise RefusedError("busy", reason, "try again when it has ended")
        if who != said:
            report.stage(f"waiting for {who}, which holds the lock of the database")
            said = who
        report.check()
        patience.pause(POLL_SECONDS)
