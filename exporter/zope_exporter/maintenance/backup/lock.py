"""Keeping two that change a repository apart: a flock on its directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.maintenance.jobs.lock import holder
from zope_exporter.maintenance.jobs.report import RefusedError


@contextmanager
def exclusive(repository: Path) -> Iterator[None]:
    """Hold the repository alone. Raises RefusedError `busy`, and OSError."""
    with _locked(repository, fcntl.LOCK_EX):
        yield


@contextmanager
def shared(repository: Path) -> Iterator[None]:
    """Keep away those that change the repository. Raises RefusedError `busy`, and OSError."""
    with _locked(repository, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(repository: Path, how: int) -> Iterator[None]:
    descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = f"{holder(descriptor)} works on {repository}"
            raise RefusedError("busy", reason, "try again when it has ended") from None
        yield
    finally:
        os.close(descriptor)
