"""Why a Zope that runs has no agent, from what can be seen without it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from zope_exporter.discovery.inventory import Process, Service

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
