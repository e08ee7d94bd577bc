"""Who packs a database: whoever owns its storage, in the way that asks least of a live site."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.agent.diagnosis import find_sockets
from zope_exporter.discovery.inventory import Database, Service, Storage
from zope_exporter.maintenance.jobs.report import RefusedError

from .agent_engine import AgentEngine
from .file_engine import FileEngine
from .relstorage_engine import RelStorageEngine
from .target import PackEngine
from .zeo_engine import ZeoEngine
from .zmi_engine import ZmiEngine

AGENT_SECONDS = 10.0
Use = tuple[Service, Database]


def choose(
    storage: Storage | None,
    uses: Sequence[Use],
    proc: Path = Path("/proc"),
) -> PackEngine:
    """Return who packs a database that the services of `uses` mount or serve.

    Raises RefusedError `no_way`.
    """
    for ways in (_servers(uses), _sql(uses), _agents(uses), _logins(uses)):
        for way in ways:
            return way
    runs = [service.name for service, database in uses if service.process and _owns(database)]
    if runs:
        raise RefusedError(
            "no_way",
            f"only {', '.join(dict.fromkeys(runs))} can pack this database, and there is no agent",
            "zope-exporter agent install, or give zmi: with a Manager's login for this Zope",
        )
    if storage is None:
        raise RefusedError("no_way", "nothing on this host owns this database")
    return FileEngine(storage, proc)


def _owns(database: Database) -> bool:
    return database.kind not in ("zeo", "relstorage")


def _servers(uses: Sequence[Use]) -> Iterator[PackEngine]:
    for service, database in uses:
        # A ZEO server is asked if it runs; one that a client names, even on another host.
        if database.kind == "zeo" or (service.kind == "zeo" and service.process):
            tls = service.tls if service.wants_tls else database.zeo_tls
            yield ZeoEngine(database.zeo_servers, database.zeo_storage, tls)


def _sql(uses: Sequence[Use]) -> Iterator[PackEngine]:
    # Of several Zopes any one will do, if it runs.
    for service, database in sorted(uses, key=lambda use: use[0].process is None):
        if database.kind == "relstorage":
            yield RelStorageEngine(service, database)


def _agents(uses: Sequence[Use]) -> Iterator[PackEngine]:
    for service, database in _zopes(uses):
        if service.process is not None:
            for path in find_sockets(service):
                client = AgentClient(path, AGENT_SECONDS, service.process.pid)
                yield AgentEngine(client, database.name, service.process)


def _logins(uses: Sequence[Use]) -> Iterator[PackEngine]:
    for service, database in _zopes(uses):
        if service.zmi is not None:
            yield ZmiEngine(service.zmi, database.name)


def _zopes(uses: Sequence[Use]) -> Iterator[Use]:
    """Give the running Zopes that have the storage open themselves."""
    for service, database in uses:
        if service.kind == "zope" and service.process and _owns(database):
            yield service, database
