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


def check_free(what: str, needed: int, free: int, where: str) -> None:
    """Raise RefusedError `room` unless as many bytes are free as are needed for something."""
    if free < needed:
        reason = f"{what} may need {size(needed)}, and only {size(free)} are free {where}"
        raise RefusedError("room", reason, "make room there")


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
        # Where none are counted there is no end.
        free_inodes = system.f_favail if system.f_files else None
        found.append(Room(directory, needed, free, inodes, free_inodes))
    return found


def check_room(needs: Iterable[Need]) -> None:
    """Raise RefusedError `room` unless every file system has all that is needed on it."""
    for each in room_of(needs):
        where = f"on the file system of {each.directory}"
        check_free("what is to be written", each.needed, each.free, where)
        if each.free_inodes is not None and each.free_inodes < each.inodes:
            raise RefusedError(
                "room",
                f"{each.inodes} files and directories are to be made {where}, and it has room for"
                f" {each.free_inodes} (inodes)",
                "remove files there",
            )


def _nearest(path: Path) -> Path:
    """Return the directory that is there: the path, or where it is to be made."""
    return next(each for each in (path, *path.parents) if each.is_dir())
