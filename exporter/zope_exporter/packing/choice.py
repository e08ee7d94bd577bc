"""Who packs a database: whoever owns its storage, in the way that asks least of a live site."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zope_exporter.agents.client import AgentClient
from zope_exporter.agents.sockets import find_sockets
from zope_exporter.inventory import Database, Service, Storage
from zope_exporter.jobs.report import RefusedError

from .target import Way
from .through_agent import AgentWay
from .through_file import FileWay
from .through_zeo import ZeoWay

AGENT_SECONDS = 10.0
Use = tuple[Service, Database]
FurtherWay = Callable[[Service, Database], Way | None]


def choose(
    storage: Storage | None,
    uses: Sequence[Use],
    further: Sequence[FurtherWay] = (),
    proc: Path = Path("/proc"),
) -> Way:
    """Return who packs a database that the services of `uses` mount or serve.

    `further` gives other ways through a running Zope, the best first. Raises RefusedError `no_way`.
    """
    for ways in (_servers(uses), _zopes(uses, further)):
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
    return FileWay(storage, proc)


def _owns(database: Database) -> bool:
    return database.kind not in ("zeo", "relstorage")


def _servers(uses: Sequence[Use]) -> Iterator[Way]:
    for service, database in uses:
        # A ZEO server is asked if it runs; one that a client names, even on another host.
        if database.kind == "zeo" or (service.kind == "zeo" and service.process):
            yield ZeoWay(database.zeo_servers, database.zeo_storage)


def _zopes(uses: Sequence[Use], further: Sequence[FurtherWay]) -> Iterator[Way]:
    for service, database in uses:
        if service.kind == "zope" and service.process and _owns(database):
            for path in find_sockets(service):
                client = AgentClient(path, AGENT_SECONDS, service.process.pid)
                yield AgentWay(client, database.name)
    for service, database in uses:
        yield from filter(None, (way(service, database) for way in further))
