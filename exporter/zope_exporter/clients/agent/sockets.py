"""Finding the socket of the agent inside a Zope."""

import fnmatch
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from zope_exporter.clients.connection import connect_unix
from zope_exporter.discovery.inventory import Process, Service

# The kernel counts start times from its own start, which is known to the second only.
_START_SECONDS = 2.0
# plone-backend makes its client home in /data/HOSTNAME/HOSTID, anew with each container.
_DEPTH = 2
_MOST_ENTRIES = 64


def find_sockets(service: Service, proc: Path = Path("/proc")) -> list[Path]:
    """Return the socket of a Zope's agent, or nothing where there is none.

    Several Zopes may have one client home, and leave the sockets of processes that were killed in
    it: only that of the very process counts. In a directory given by hand the socket may also lie
    deeper; of a process that cannot be seen it is the last one made there at which somebody
    listens, or the directory itself, which whoever connects to it will be told of.
    One in a directory that may not be inspected is as good as none.
    """
    given, process = service.agent_socket, service.process
    if given is not None and not _is_directory(given):
        return [given]
    directory = given or service.agent_home
    if directory is None or (process is None and given is None):
        return []
    if process is None:
        return [_last_alive(directory) or directory]
    name = f"zope-exporter-{_own_number(process, proc)}.sock"
    found = _below(directory, name) if given else iter([directory / name])
    return list(islice((path for path in found if _is_of(path, process)), 1))


def is_alive(service: Service) -> bool:
    """Whether a process that cannot be seen from here listens as this Zope's agent."""
    return service.agent_socket is not None and any(map(_listens, find_sockets(service)))


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:  # whoever connects says so better
        return False


def _own_number(process: Process, proc: Path) -> int:
    """By which number the process knows itself: in a container, another than ours."""
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / str(process.pid) / "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return process.pid


def _below(directory: Path, name: str, depth: int = 0) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return
    yield from (directory / each for each, _ in found if fnmatch.fnmatchcase(each, name))
    if depth < _DEPTH:
        for each in islice((each for each, is_directory in found if is_directory), _MOST_ENTRIES):
            yield from _below(directory / each, name, depth + 1)


def _last_alive(directory: Path) -> Path | None:
    made = []
    for path in _below(directory, "zope-exporter-*.sock"):
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISSOCK(status.st_mode):
                made.append((status.st_mtime, path))
    return next((path for _, path in sorted(made, reverse=True) if _listens(path)), None)


def _listens(path: Path) -> bool:
    try:
        with connect_unix(path, time.monotonic() + 1):
            return True
    except (BlockingIOError, PermissionError, TimeoutError):
        return True  # busy, or not for us: there is somebody
    except OSError:
        return False


def _is_of(path: Path, process: Process) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    # In a container each Zope in turn may have the same number.
    is_new = status.st_mtime > process.start_time - _START_SECONDS
    return stat.S_ISSOCK(status.st_mode) and is_new
