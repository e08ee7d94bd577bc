"""The memory limit that control groups, version 1, 2 or both, put on a process."""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

LIMIT_FILE = {"cgroup2": "memory.max", "cgroup": "memory.limit_in_bytes"}

# Version 1 says "no limit" as the largest number of whole pages, which depends on the page size.
UNLIMITED = 2**60


class _Mount(NamedTuple):
    kind: str
    root: PurePosixPath
    point: Path


def memory_limit(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return the bytes at which the kernel kills: the lowest limit of a process's groups.

    None when there is none, or none to be seen: a container sees the groups below its own only.
    Raises FileNotFoundError or ProcessLookupError when the process is gone.
    """
    groups = _groups((proc / str(pid) / "cgroup").read_bytes())
    mounts = _mounts((proc / "self" / "mountinfo").read_bytes())
    limits = [limit for mount in mounts if mount.kind in groups for limit in _limits(mount, groups)]
    return min(limits, default=None)


def _groups(cgroup: bytes) -> dict[str, PurePosixPath]:
    groups = {}
    for line in os.fsdecode(cgroup).splitlines():
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            groups["cgroup2"] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            groups["cgroup"] = PurePosixPath(path)
    return groups


@lru_cache(maxsize=1)  # a host may have hundreds of processes, all of which are asked for it
def _mounts(mountinfo: bytes) -> tuple[_Mount, ...]:
    return tuple(_cgroup_mounts(mountinfo))


def _cgroup_mounts(mountinfo: bytes) -> Iterator[_Mount]:
    for line in os.fsdecode(mountinfo).splitlines():
        place, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            root, point = (_unescape(field) for field in place.split(" ")[3:5])
            yield _Mount(kind, PurePosixPath(root), Path(point))


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def _limits(mount: _Mount, groups: dict[str, PurePosixPath]) -> Iterator[int]:
    try:
        below = groups[mount.kind].relative_to(mount.root).parts
    except ValueError:
        return
    if ".." in below:  # outside our own namespace: what we see there is not its group
        return
    for depth in range(len(below) + 1):
        try:
            text = mount.point.joinpath(*below[:depth], LIMIT_FILE[mount.kind]).read_text()
        except (FileNotFoundError, NotADirectoryError):  # the topmost group has no such file
            continue
        if text.strip() != "max" and int(text) < UNLIMITED:
            yield int(text)
