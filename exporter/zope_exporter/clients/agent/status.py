"""How it stands with the agent of one Zope."""

from dataclasses import dataclass

from zope_exporter.discovery.inventory import Service

from .client import AgentClient
from .diagnosis import why_absent
from .errors import AgentError
from .package import shipped
from .sockets import find_sockets


@dataclass(frozen=True)
class AgentStatus:
    """`text` says all; `is_well` that the agent answers and is the one that comes with us."""

    text: str
    is_well: bool = False


def standing(service: Service, timeout: float) -> AgentStatus:
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
