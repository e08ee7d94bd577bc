"""Whether the agent of a Zope answers, and why there is none."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from zope_exporter.discovery.inventory import Process, Service
from zope_exporter.system.foreign_root import root_of, within

from .answer import AgentError
from .client import AgentClient
from .package import shipped
from .sockets import find_sockets

_PACKAGES = ("lib*/python*/site-packages", "lib*/python*/dist-packages")
_MODULE = "Products/ZopeExporterAgent/__init__.py"


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
    python = _python(process, root_of(service.config or service.wsgi_ini or ""))
    installed = python and next(_installed(python), None)
    if installed is None:
        return Absence(f"not installed, as far as can be seen ({_how_to_install(python)})")
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
        return Absence(f"{error.filename} may not be inspected ({remedy})", True)
    except OSError as error:
        return Absence(f"{error.filename}: {error.strerror}", True)
    return Absence(f"installed, but there is no socket in {home} (see Zope's event log)", True)


def _how_to_install(python: Path | None) -> str:
    if python and root_of(python):
        return "add the wheel that zope-exporter agent wheel writes to the image"
    if python and python.with_name("buildout").exists():
        return "add zope-exporter-agent to the eggs of the buildout, see /docs/agent"
    return f"zope-exporter agent install --python {python or 'PYTHON'}"


def _python(process: Process, root: Path | None) -> Path | None:
    """The interpreter as it was called: its directory is that of the virtual environment."""
    called = _called(process)
    if called is None or root is None:
        return called
    return within(root, called.parent) / called.name


def _called(process: Process) -> Path | None:
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


class NoAgentError(AgentError):
    """A Zope has no agent; the message says so, and why."""


def client_of(zope: Service, timeout: float) -> AgentClient:
    """Return who asks the agent of a Zope, which is given so many seconds to answer.

    Raises NoAgentError.
    """
    sockets = find_sockets(zope)
    if not sockets:
        raise NoAgentError(f"no agent: {why_absent(zope).reason}")
    return AgentClient(sockets[0], timeout, zope.process.pid if zope.process else None)


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
