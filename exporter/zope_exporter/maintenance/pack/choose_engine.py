"""Who packs a database: whoever owns its storage, by the engine that asks least of a live site.

Where nobody has it open, that is a process of our own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.agent.sockets import find_sockets
from zope_exporter.discovery.inventory import Database, Service, Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.storage.filestorage.open_files import Holders, holders

from .program import own_program, program
from .relstorage_engine import RelStorageEngine
from .target import PackEngine, Running
from .zeo_engine import ZeoEngine
from .zope_engines import AgentEngine, ZmiEngine

AGENT_SECONDS = 10.0
# It ends at once unless it is just exchanging the files, and that is not to be torn.
PATIENCE_SECONDS = 60.0
Use = tuple[Service, Database]
Look = Callable[[Path, Path], Holders]


def choose(
    storage: Storage | None,
    uses: Sequence[Use],
    proc: Path = Path("/proc"),
    look: Look = holders,
) -> PackEngine:
    """Return who packs a database that the services of `uses` mount or serve.

    `look` tells which processes have a file open.

    Raises RefusedError `no_way`.
    """
    for engine in chain(_servers(uses), _sql(uses), _agents(uses), _logins(uses)):
        return engine
    runs = [service.name for service, database in uses if service.process and _owns(database)]
    if runs:
        raise RefusedError(
            "no_way",
            f"only {', '.join(dict.fromkeys(runs))} can pack this database, and there is no agent",
            "zope-exporter agent install, or give zmi: with a Manager's login for this Zope",
        )
    if storage is None:
        raise RefusedError("no_way", "nothing on this host owns this database")
    return FileEngine(storage, proc, look)


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
        for each in service.apart():
            if each.process is not None:
                for path in find_sockets(each):
                    client = AgentClient(path, AGENT_SECONDS, each.process.pid)
                    yield AgentEngine(client, database.name, each.process)


def _logins(uses: Sequence[Use]) -> Iterator[PackEngine]:
    for service, database in _zopes(uses):
        if service.zmi is not None:
            yield ZmiEngine(service.zmi, database.name)


def _zopes(uses: Sequence[Use]) -> Iterator[Use]:
    """Give the running Zopes that have the storage open themselves."""
    for service, database in uses:
        if service.kind == "zope" and service.process and _owns(database):
            yield service, database


class FileEngine:
    """Packs a Data.fs, and keeps Zope from opening it meanwhile by ZODB's own lock."""

    name = "the file"
    meanwhile = "nobody has the file open; Zope or ZEO cannot start before the pack has ended"

    def __init__(self, storage: Storage, proc: Path = Path("/proc"), look: Look = holders) -> None:
        self._storage = storage
        self._proc = proc
        self._look = look

    def check(self) -> None:
        """Raise RefusedError `open` if any process has the file open, or `demostorage`."""
        if self._storage.over_base:
            raise RefusedError(
                "demostorage",
                f"{self._storage.data_fs} holds the changes of a demostorage: objects that only its"
                " base refers to cannot be recognized as needed by this file",
                "start its Zope, which packs it without collecting garbage",
            )
        found = self._look(self._storage.data_fs, self._proc)
        if found.none:
            return
        who = ", ".join(f"process {pid}" for pid in found.pids) or "a process that cannot be seen"
        raise RefusedError(
            "open",
            f"{who} has {self._storage.data_fs} open, and only that process can pack it",
            "install the agent in that Zope, give zmi: for it, or stop it",
        )

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; it ends with us, and the Data.fs is then as it was."""
        data_fs, blob_dir = self._storage.data_fs, self._storage.blob_dir
        command = own_program("offline", repr(days), str(data_fs), str(blob_dir or ""))
        with program(command, report, patience=PATIENCE_SECONDS) as running:
            yield running
