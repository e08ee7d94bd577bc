"""Whether there is room for what is to be written, looked at before anything is."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.system.humanize import size


@dataclass
class Need:
    """What is to be written below a directory: files by their sizes in bytes, and directories."""

    below: Path
    sizes: list[int] = field(default_factory=list)
    directories: int = 0

    def of(self, system: os.statvfs_result) -> tuple[int, int]:
        """Return bytes and inodes that all of it takes on a file system."""
        block = system.f_frsize
        blocks = self.directories + sum(-(-size // block) for size in self.sizes)
        return blocks * block, self.directories + len(self.sizes)


def check_free(
    what: str, needed: int, free: int, where: str, remedy: str = "make room there"
) -> None:
    """Raise RefusedError `room` unless as many bytes are free as are needed for something."""
    if free < needed:
        reason = f"{what} may need {size(needed)}, and only {size(free)} are free {where}"
        raise RefusedError("room", reason, remedy)


def check_inodes(needed: int, free: int | None, where: str) -> None:
    """Raise RefusedError `room` unless so many files can be made; None are no end of them."""
    if free is not None and free < needed:
        reason = f"{needed} files and directories are to be made {where}"
        has = f"it has room for {free} (inodes)"
        raise RefusedError("room", f"{reason}, and {has}", "remove files there")


def free_inodes(directory: Path) -> int | None:
    """Return how many files can be made on its file system, None where they are not counted."""
    system = os.statvfs(directory)
    return system.f_favail if system.f_files else None


class Room(NamedTuple):
    """A file system, by a directory on it: what is to be written there, and what is free.

    In bytes, and in inodes; where these are not counted, `free_inodes` is None.
    """

    directory: Path
    needed: int
    free: int
    inodes: int
    free_inodes: int | None


def room_of(needs: Iterable[Need]) -> list[Room]:
    """Look at each file system that is to be written to."""
    systems: dict[int, list[Need]] = {}
    for need in needs:
        systems.setdefault(_nearest(need.below).stat().st_dev, []).append(need)
    found = []
    for together in systems.values():
        directory = _nearest(together[0].below)
        system = os.statvfs(directory)
        takes = [need.of(system) for need in together]
        needed, free = sum(each[0] for each in takes), system.f_bavail * system.f_frsize
        inodes = sum(each[1] for each in takes)
        found.append(Room(directory, needed, free, inodes, free_inodes(directory)))
    return found


def check_room(needs: Iterable[Need]) -> None:
    """Raise RefusedError `room` unless every file system has all that is needed on it."""
    for each in room_of(needs):
        where = f"on the file system of {each.directory}"
        check_free("what is to be written", each.needed, each.free, where)
        check_inodes(each.inodes, each.free_inodes, where)


def _nearest(path: Path) -> Path:
    """Return the directory that is there: the path, or where it is to be made."""
    return next(each for each in (path, *path.parents) if each.is_dir())
