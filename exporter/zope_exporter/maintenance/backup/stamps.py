"""The names of the files in a repository, which `repozo` reads as well.

A backup goes by its stamp, a second of UTC. Its piece is `STAMP.fs`, or `STAMP.deltafs` for what
came after the piece before, with a `z` for gzip; `STAMP.dat` beside the first piece lists all.
"""

import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError

from .beneath import Beneath, OddFileError

STAMP = "[0-9]{4}(?:-[0-9]{2}){5}"
PIECE = re.compile(rf"({STAMP})\.(delta)?fsz?")
OWN = re.compile(rf"({STAMP})\.(manifest|blobs|verified|current|removing)")
DAT = re.compile(rf"({STAMP})\.dat")
INDEX = re.compile(rf"({STAMP})\.index")
TEMPORARY = re.compile(r"zope-exporter-[0-9a-f]{16}\.tmp")
_WHOLE = re.compile(STAMP)
BLOBS = "blobs"


def stamp_of(moment: datetime) -> str:
    # Not by strftime, which leaves out the zeros of a year before 1000.
    return f"{moment.year:04}-{moment:%m-%d-%H-%M-%S}"


def time_of(stamp: str) -> datetime | None:
    """Return the moment of a stamp, None for numbers that are none."""
    if not _WHOLE.fullmatch(stamp):
        return None
    year, month, day, hour, minute, second = map(int, stamp.split("-"))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None


def time_of_epoch(seconds: float) -> datetime:
    """Return the moment; raises TypeError, ValueError or OverflowError for what can be none."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except OSError as error:  # a year that the C library has no number for
        raise OverflowError(str(error)) from error


def next_stamp(now: float, taken: Iterable[str]) -> str:
    """Return the stamp of a backup begun now, which is above all that are taken.

    So the order of names is that of the backups even after the clock was set back. Raises
    ActionError if there is none above them.
    """
    moment, last = time_of_epoch(now), max(taken, default="")
    newest = time_of(last)
    try:
        if newest is not None and stamp_of(moment) <= stamp_of(newest):
            moment = newest + timedelta(seconds=1)
    except OverflowError:
        reason = f"no later name can be given than that of {last}"
        raise ActionError(
            "looking for what is new", reason, "move what has it out of the repository"
        ) from None
    return stamp_of(moment)


def taken_stamps(repository: Path) -> Iterator[str]:
    """Yield the stamp of everything that has one, leftovers too."""
    for within in ((), (BLOBS,)):
        for name in names_in(repository, *within):
            stamp = name.partition(".")[0]
            if time_of(stamp):
                yield stamp


def names_in(repository: Path, *within: str) -> list[str]:
    """Return what is in a directory, nothing where there is none; a link in it is none."""
    try:
        with Beneath(repository, *within) as directory:
            return directory.names()
    except (FileNotFoundError, OddFileError):
        return []


def printable(name: str) -> str:
    """Return a name that anybody may have given as it can be shown: it may hold codes."""
    return name if name.isprintable() else ascii(name)


def piece_name(stamp: str, full: bool, gzip: bool) -> str:
    return f"{stamp}.{'' if full else 'delta'}fs{'z' if gzip else ''}"


def temporary_name() -> str:
    """Return a new name that neither repozo takes for a piece, nor two processes for the same."""
    return f"zope-exporter-{os.urandom(8).hex()}.tmp"
