"""Where the socket of a Zope's agent is, whether the agent answers, and why there is none."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from zope_exporter.discovery.inventory import Process, Service

from .answer import AgentError
from .client import AgentClient
from .package import shipped

# The kernel counts start times from its own start, which is known to the second only.
_START_SECONDS = 2.0
_PACKAGES = ("lib*/python*/site-packages", "lib*/python*/dist-packages")
_MODULE = "Products/ZopeExporterAgent/__init__.py"


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


@dataclass(frozen=True)
class Absence:
    """`reason` says what to do as well; `is_installed` tells that somebody wants an agent."""

    reason: str
    is_installed: bool = False


def why_absent(service: Service) -> Absence:
    """Say why there is no socket of an agent of this Zope."""
    process, home = service.process, service.agent_home
    if process is None:
        return Absence("its process is not known")
    python = _python(process)
    installed = python and next(_installed(python), None)
    if installed is None:
        command = f"zope-exporter agent install --python {python or 'PYTHON'}"
        return Absence(f"not installed, as far as can be seen ({command})")
    try:
        since = installed.stat().st_ctime
        if since > process.start_time:
            return Absence("installed, but not active yet (restart Zope)", True)
        if home is None:
            return Absence("its client home is not known (give agent: in the configuration)", True)
        with os.scandir(home):
            pass
    except PermissionError as error:
        remedy = "run zope-exporter as the user of Zope"
        return Absence(f"{error.filename} may not be looked into ({remedy})", True)
    except OSError as error:
        return Absence(f"{error.filename}: {error.strerror}", True)
    return Absence(f"installed, but there is no socket in {home} (see Zope's event log)", True)


def _python(process: Process) -> Path | None:
    """The interpreter as it was called: its directory is that of the virtual environment."""
    try:
        running = psutil.Process(process.pid)
        called = running.cmdline()[0]
        if called.startswith("/"):
            return Path(called)
        # These two may be closed to other users.
        return Path(running.cwd(), called) if "/" in called else Path(running.exe())
    except (psutil.Error, OSError, IndexError):
        return None


def _installed(python: Path) -> Iterator[Path]:
    for pattern in _PACKAGES:
        yield from python.parent.parent.glob(f"{pattern}/{_MODULE}")


@dataclass(frozen=True)
class AgentStatus:
    """`text` says all; `is_well` that the agent answers and is the one that comes with us."""

    text: str
    is_well: bool = False


def agent_status(service: Service, timeout: float) -> AgentStatus:
    """Ask the agent of a Zope, and look for the reason if there is none."""
    sockets = find_sockets(service)
    if service.process is None and not sockets:
        return AgentStatus("Zope is not running")
    if not sockets:
        return AgentStatus(f"no agent: {why_absent(service).reason}")
    pid = service.process.pid if service.process else None
    try:
        answer = AgentClient(sockets[0], timeout, pid).status()
    except AgentError as error:
        return AgentStatus(f"agent out of order: {error}")
    version = answer.text("agent", "version") or "of unknown version"
    outdated = outdated_remedy(version)
    if outdated:
        return AgentStatus(f"agent {version}: {outdated}")
    if answer.problems:
        return AgentStatus(f"agent {version} lacks {'; '.join(answer.problems)}")
    return AgentStatus(f"agent {version} answers at {sockets[0]}", True)


def outdated_remedy(version: str) -> str:
    """What to do about an agent of that version, empty if it is the one that comes with us."""
    ours = shipped().version
    if version == ours:
        return ""
    return f"this exporter comes with {ours} (zope-exporter agent install, and restart Zope)"
