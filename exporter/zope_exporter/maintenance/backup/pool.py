"""The files of all blobs in a repository: one each, however many backups list it.

A blob never changes once it is committed: its oid and tid are its name, and what has the name stays
as it is. The files are in directories by the last byte of the oid, so that there are few of these.
"""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from .beneath import Beneath, OddFileError, odd
from .disk import Disk
from .stamps import BLOBS

SHARD = re.compile("[0-9a-f]{2}")
SHARDS = 256
NAME = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{16}\.blob")
TAIL = len("0123456789abcdef.blob")
DIGITS = 16


def place_of(path: str) -> str:
    """Return where in the pool the blob is that has this path in a blob directory of any layout."""
    digits = path.replace("/0x", "").removeprefix("0x")
    name = f"{digits[:-TAIL].zfill(DIGITS)}.{digits[-TAIL:]}"
    return f"{_shard(name)}/{name}"


def _shard(name: str) -> str:
    return name[DIGITS - 2 : DIGITS]


class Found(NamedTuple):
    """A file: its size, when it was written, in seconds since the epoch, and what it is instead."""

    size: int
    written: float
    odd: str


NOTHING = Found(-1, 0.0, "")


def look_into(files: Beneath, directory: str) -> dict[str, Found]:
    """Return what is in a directory, by name. Raises OSError."""
    found = {}
    with os.scandir(files.directory_of(f"{directory}/_")) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            regular = stat.S_ISREG(status.st_mode)
            reason = "" if regular else str(odd(files.path, status.st_mode).strerror)
            found[entry.name] = Found(status.st_size, status.st_mtime, reason)
    return found


def put_in_pool(disk: Disk, directory: Path, names: Iterable[str]) -> None:
    """Move files from a directory in the repository to their places; they are on the disk then."""
    repository, wanted = directory.parent, sorted(names, key=_shard)
    if not wanted:
        return
    if not os.path.lexists(repository / BLOBS):
        disk.make_directory(repository / BLOBS)
        disk.sync_directory(repository)
    with Beneath(repository, BLOBS) as pool, Beneath(repository, directory.name) as new:
        missing = sorted({_shard(name) for name in wanted} - set(pool.names()))
        for shard in missing:
            disk.make_directory(pool.full(shard), pool.descriptor)
        if missing:
            disk.sync(pool.descriptor)
        for shard, inside in groupby(wanted, key=_shard):
            place = pool.directory_of(f"{shard}/_")
            for name in inside:
                old, target = new.full(name), pool.full(f"{shard}/{name}")
                disk.rename(old, target, new.descriptor, place)
            disk.sync(place)


def remove_from_pool(
    disk: Disk, repository: Path, keep: Collection[str], say: Callable[[str], object]
) -> None:
    """Remove all files but those at the places to keep; what is no file of ours is left, and said.

    It is on the disk then. Raises OSError.
    """
    try:
        pool = Beneath(repository, BLOBS)
    except (FileNotFoundError, OddFileError):
        return
    with pool:
        for shard in filter(SHARD.fullmatch, pool.names()):
            _remove_unlisted(disk, pool, shard, keep, say)


def _remove_unlisted(
    disk: Disk, pool: Beneath, shard: str, keep: Collection[str], say: Callable[[str], object]
) -> None:
    try:
        found = look_into(pool, shard)
    except OddFileError as error:
        say(f"{BLOBS}/{shard} is left as it is: {error.strerror}")
        return
    place, removed = pool.directory_of(f"{shard}/_"), False
    for name, file in sorted(found.items()):
        here = f"{shard}/{name}"
        if not NAME.fullmatch(name) or _shard(name) != shard or here in keep:
            continue
        if file.odd:
            say(f"{BLOBS}/{here} is left as it is, and no backup needs it: {file.odd}")
            continue
        disk.remove(pool.full(here), place)
        removed = True
    if removed:
        disk.sync(place)
