"""Finding the socket of the agent inside a Zope."""

import stat
from pathlib import Path

from zope_exporter.discovery.inventory import Process, Service

# The kernel counts start times from its own start, which is known to the second only.
_START_SECONDS = 2.0


def find_sockets(service: Service) -> list[Path]:
    """Return the socket of a Zope's agent, or nothing where there is none.

    Several Zopes may have one client home, and leave the sockets of processes that were killed in
    it: only that of the very process counts.
    One in a directory that may not be looked into is as good as none.
    """
    given = service.agent_socket
    if given is not None and not _is_directory(given):
        return [given]
    directory = given or service.agent_home
    if directory is None or service.process is None:
        return []
    path = directory / f"zope-exporter-{service.process.pid}.sock"
    return [path] if _is_of(path, service.process) else []


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:  # whoever connects says so better
        return False


def _is_of(path: Path, process: Process) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    # In a container each Zope in turn may have the same number.
    is_new = status.st_mtime > process.start_time - _START_SECONDS
    return stat.S_ISSOCK(status.st_mode) and is_new
