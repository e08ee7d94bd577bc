"""Directories that are dear to make, kept between runs: there whole, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


class UnavailableError(Exception):
    """Something outside the project cannot be had on this machine; the message says why."""


def cache_directory() -> Path:
    """`$ZOPE_EXPORTER_TEST_CACHE`, else `zope-exporter-tests` in the user's cache directory."""
    if own := os.environ.get("ZOPE_EXPORTER_TEST_CACHE"):
        return Path(own).expanduser().resolve()
    users = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(users).expanduser().resolve() / "zope-exporter-tests"


def cached(home: Path, make: Callable[[Path], None]) -> Path:
    """`home`, filled by `make` unless an earlier call finished that.

    Made where it stays, as scripts in a virtual environment name their interpreter by its path;
    a file written last tells a whole directory from one whose making was interrupted.
    """
    complete = home / ".complete"
    if complete.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(home.name + ".lock").open("w") as lock:
        # Without a deadline: whoever holds it has one for each of its steps, and a dead holder
        # has let go.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            make(home)
            complete.touch()
    return home
