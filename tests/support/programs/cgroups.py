"""Control groups of a test's own, in which everything that it begins can be found and ended."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.programs.cache import UnavailableError
from tests.support.programs.processes import eventually


@contextmanager
def own_cgroups(name: str) -> Iterator[list[Path]]:
    """A group of that name in each hierarchy that a systemd uses; in the end nothing is in it."""
    groups = [directory / name for directory in _present()]
    try:
        _make(groups)
        yield groups
    finally:
        eventually(lambda: all(_is_removed(group) for group in groups))


def _make(groups: Sequence[Path]) -> None:
    try:
        for group in groups:
            group.mkdir()
    except OSError as error:
        raise UnavailableError(f"no control group can be made: {error}") from error


def _present(proc: Path = Path("/proc/self")) -> list[Path]:
    """The groups this process is in, of version 2 and of the one that systemd has in version 1."""
    found = []
    for line in (proc / "cgroup").read_text().splitlines():
        _, hierarchy, group = line.split(":", 2)
        if hierarchy in ("", "name=systemd"):
            for root, mount in _mounts(proc, hierarchy):
                found.append(mount / os.path.relpath(group, root))
    if not found:
        raise UnavailableError("no hierarchy of control groups is mounted that systemd could use")
    return found


def _mounts(proc: Path, hierarchy: str) -> Iterator[tuple[str, Path]]:
    for line in (proc / "mountinfo").read_text().splitlines():
        where, _, what = line.partition(" - ")
        kind, _, options = what.split(" ", 2)
        wanted = "cgroup" if hierarchy else "cgroup2"
        if kind == wanted and hierarchy in ("", *options.split(",")):
            _, _, _, root, mount, *_ = where.split()
            yield root, Path(mount)
            return


def _is_removed(group: Path) -> bool:
    for directory in [*sorted(group.rglob("*/"), reverse=True), group]:
        with suppress(FileNotFoundError):
            for pid in map(int, (directory / "cgroup.procs").read_text().split()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            directory.rmdir()
    return not group.exists()
