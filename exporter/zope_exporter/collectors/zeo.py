"""ZEO servers: which of them answer, and what each tells of its storages."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from zope_exporter.clients.zeo.link import ZeoError
from zope_exporter.clients.zeo.probe import ZeoProber, ZeoResult
from zope_exporter.clients.zeo.status import StorageStatus
from zope_exporter.discovery.inventory import Inventory, ZeoServer
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.system.ttl_cache import TtlCache

_STORAGE = ("site", "server", "storage")
_UNNAMED = "1"  # what ZEO calls a storage that was given no name

# Each probe is a line in the server's log.
PAUSE = 10.0

UP = Metric(
    "zope_zeo_up",
    "gauge",
    "Whether the ZEO server answers and serves the storage (1) or not (0), asked at most every 10 s"
    " as each time is a line in its log.",
    _STORAGE,
)
CLIENTS = Metric(
    "zope_zeo_clients",
    "gauge",
    "Clients that use the storage of the ZEO server, asked at most every 10 s.",
    _STORAGE,
)
COMMITS = Metric(
    "zope_zeo_commits_total",
    "counter",
    "Transactions the ZEO server has committed since its start, asked at most every 10 s.",
    _STORAGE,
)
ABORTS = Metric(
    "zope_zeo_aborts_total",
    "counter",
    "Transactions that clients of the ZEO server aborted since its start, asked at most "
    "every 10 s; ZEO 5 and later does not count those refused for a conflict.",
    _STORAGE,
)
LOADS = Metric(
    "zope_zeo_loads_total",
    "counter",
    "Objects the ZEO server has sent to clients since its start, asked at most every 10 s.",
    _STORAGE,
)
STORES = Metric(
    "zope_zeo_stores_total",
    "counter",
    "Objects that clients have stored since the ZEO server's start, asked at most every 10 s.",
    _STORAGE,
)
CONFLICTS = Metric(
    "zope_zeo_conflicts_total",
    "counter",
    "Conflicts that the ZEO server could not resolve since its start, asked at most every 10 s.",
    _STORAGE,
)
CONFLICTS_RESOLVED = Metric(
    "zope_zeo_conflicts_resolved_total",
    "counter",
    "Conflicts that the ZEO server has resolved since its start, asked at most every 10 s; absent"
    " of ZEO 5 and later, which does not count them.",
    _STORAGE,
)
ACTIVE_TRANSACTIONS = Metric(
    "zope_zeo_active_transactions",
    "gauge",
    "Transactions that clients have begun to commit and not ended, asked at most every 10 s.",
    _STORAGE,
)
WAITING_COMMITS = Metric(
    "zope_zeo_waiting_commits",
    "gauge",
    "Transactions that wait for another one to end its commit, asked at most every 10 s; absent of"
    " Zope 2's server.",
    _STORAGE,
)
LOCK_ACQUIRED = Metric(
    "zope_zeo_lock_acquired_timestamp_seconds",
    "gauge",
    "When the transaction that is committed right now got the commit lock, in seconds since the"
    " epoch, asked at most every 10 s; absent while none has it.",
    _STORAGE,
)
LAST_TRANSACTION = Metric(
    "zope_zeo_last_transaction_timestamp_seconds",
    "gauge",
    "Time of the last transaction of the storage, in seconds since the epoch, asked at most every"
    " 10 s; absent while it holds none, and of Zope 2's server.",
    _STORAGE,
)

_VALUES: dict[Metric, Callable[[StorageStatus], float | None]] = {
    CLIENTS: lambda status: status.clients,
    COMMITS: lambda status: status.commits,
    ABORTS: lambda status: status.aborts,
    LOADS: lambda status: status.loads,
    STORES: lambda status: status.stores,
    CONFLICTS: lambda status: status.conflicts,
    CONFLICTS_RESOLVED: lambda status: status.conflicts_resolved,
    ACTIVE_TRANSACTIONS: lambda status: status.active_transactions,
    WAITING_COMMITS: lambda status: status.waiting_commits,
    LOCK_ACQUIRED: lambda status: status.lock_acquired,
    LAST_TRANSACTION: lambda status: status.last_transaction,
}


class ZeoCollector:
    """Asks every ZEO server of the inventory; one that does not answer is a result, no failure."""

    name = "zeo"
    metrics = (UP, *_VALUES)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        probe: Callable[[ZeoServer], ZeoResult] | None = None,
        pause: float = PAUSE,
    ) -> None:
        self._inventory = inventory
        self._answers = TtlCache(probe or ZeoProber().probe, pause, key=_endpoint)

    def parts(self) -> Iterable[Part]:
        servers = list(self._inventory().zeo_servers())
        self._answers.keep([server for _, server in servers])
        return [
            Part((site, server.name), partial(self._collect, site, server))
            for site, server in servers
        ]

    def _collect(self, site: str, server: ZeoServer) -> Iterator[Sample]:
        if server.problem:
            raise ZeoError(server.problem)
        answer = self._answers.answer(server)
        for storage in _storages(server, answer):
            yield from _samples(answer, site=site, server=server.name, storage=storage)
        if answer.problem:
            raise ZeoError(answer.problem)


def _endpoint(server: ZeoServer) -> tuple[object, ...]:
    """What tells two servers apart, whatever they are called."""
    return server.address, server.monitor, server.tls


def _storages(server: ZeoServer, answer: ZeoResult) -> list[str]:
    reported = answer.storages or {}
    others = [] if server.elsewhere is None else [s for s in reported if s not in server.elsewhere]
    return list(dict.fromkeys([*server.storages, *others])) or [_UNNAMED]


def _samples(answer: ZeoResult, *, site: str, server: str, storage: str) -> Iterator[Sample]:
    of = {"site": site, "server": server, "storage": storage}
    if answer.up is not None:
        yield UP(answer.up and (answer.storages is None or storage in answer.storages), **of)
    status = (answer.storages or {}).get(storage, StorageStatus())
    for metric, value in _VALUES.items():
        number = value(status)
        if number is not None:
            yield metric(number, **of)
