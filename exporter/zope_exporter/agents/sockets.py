"""Finding the socket of the agent inside a Zope."""

import os
import stat
from pathlib import Path

from zope_exporter.inventory import Process, Service

# The kernel counts start times from its own start, which is known to the second only.
_START_SECONDS = 2.0


def find_sockets(service: Service) -> list[Path]:
    """Return the socket of a Zope's agent, or nothing where there is none.

    Several Zopes may have one client home, and leave the sockets of processes that were killed in
    it: only that of the very process counts. Raises OSError where it may not be looked for.
    """
    if service.agent_socket is not None:
        return [service.agent_socket]
    if service.client_home is None or service.process is None:
        return []
    path = service.client_home / f"zope-exporter-{service.process.pid}.sock"
    return [path] if _is_of(path, service.process) else []


def _is_of(path: Path, process: Process) -> bool:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    # In a container each Zope in turn may have the same number.
    is_new = status.st_mtime > process.start_time - _START_SECONDS
    return stat.S_ISSOCK(status.st_mode) and is_new
