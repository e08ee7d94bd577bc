"""Services as they are remembered, and back."""

import re
from pathlib import Path

from .candidate import Candidate, Source
from .inventory import Service
from .looking import Looking
from .memory import Remembered

# What says where data lies; a password or a DSN has no such shape, and none may be written down.
_STORABLE = re.compile(r"/[^\s@]*|[A-Za-z0-9.-]*:\d{1,5}")


def row_of(settled: Candidate) -> Remembered | None:
    """Return what is to be remembered of a service."""
    service, source = settled.service, settled.source
    if settled.row is not None and service.process is None:
        return settled.row  # what it was told is only known while it runs
    return Remembered(
        service.kind,
        service.config,
        # A ZEO server that has no zeo.conf is known by its Data.fs, and none has an ini file.
        service.wsgi_ini or source.data_fs,
        source.directory,
        source.variables,
        tuple(sorted(pair for pair in settled.environ.items() if _STORABLE.fullmatch(pair[1]))),
        settled.sites[0] if service.databases else "",
        service.name,
    )


def source_of(row: Remembered) -> Source:
    """Return where a remembered service is read from."""
    ini = None if row.kind == "zeo" else row.wsgi_ini
    return Source(row.kind, row.config, ini, row.variables, dict(row.environ), row.directory)


def served_alone(service: Service | Remembered) -> Path | None:
    """Return the Data.fs by which a ZEO server without a zeo.conf is known."""
    if service.kind != "zeo" or service.config:
        return None
    if isinstance(service, Remembered):
        return service.wsgi_ini
    return next((each.data_fs for each in service.databases), None)


def is_gone(service: Service, looking: Looking) -> bool:
    """Whether its configuration is no more; where that cannot be seen, it is kept."""
    file = service.config or service.wsgi_ini or served_alone(service)
    if not looking.answers(file):
        return False
    try:
        return file is None or not file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
