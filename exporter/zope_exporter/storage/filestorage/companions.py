"""The files beside a Data.fs: the copy of before the last pack, and what did not end well."""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from .errors import UnreadableError
from .owners import Identity

UNFINISHED = (".pack", ".index.index_tmp")
CUT_OFF = re.compile(r"\.tr\d+")

# A pack closes its file shortly before the renames; and while it skips garbage it writes nothing.
QUIET_SECONDS = 60.0
QUIET_SECONDS_UNSEEN = 3600.0


def files_beside(data_fs: Path) -> dict[str, os.stat_result]:
    """Return the stat of each regular file named as the Data.fs with a suffix, by suffix."""
    try:
        return dict(_beside(data_fs))
    except OSError as error:
        raise UnreadableError(
            f"{data_fs.parent} cannot be listed: {error.strerror}; the exporter needs the right to"
            " read the directory of the Data.fs"
        ) from error


def leftover_bytes(
    beside: dict[str, os.stat_result], held: Callable[[], Collection[Identity] | None], now: float
) -> int:
    """Sum up what died packs and index saves, and transactions cut off at a start, left behind.

    `held` tells what the owners have open, None if that is unknown; it is asked only when needed.
    A file that is held or was written to of late belongs to work in progress; where holders are
    unknown, only an hour without a change tells. Data.fs.tmp does not count: the next commit uses
    it again.
    """
    cut_off = sum(found.st_size for suffix, found in beside.items() if CUT_OFF.fullmatch(suffix))
    unfinished = [beside[suffix] for suffix in UNFINISHED if suffix in beside]
    if not unfinished:
        return cut_off
    holders = held()
    quiet = QUIET_SECONDS_UNSEEN if holders is None else QUIET_SECONDS
    return cut_off + sum(
        found.st_size
        for found in unfinished
        if (found.st_dev, found.st_ino) not in (holders or ()) and now - found.st_mtime > quiet
    )


def _beside(data_fs: Path) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(data_fs.parent) as entries:
        for entry in entries:
            if entry.name.startswith(data_fs.name):
                try:
                    found = entry.stat()
                except FileNotFoundError:  # renamed or removed meanwhile
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield entry.name.removeprefix(data_fs.name), found
