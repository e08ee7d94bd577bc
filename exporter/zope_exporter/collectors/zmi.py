"""What a Zope without agent tells on its management pages, where a login is given for them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from zope_exporter.clients.agent.sockets import find_sockets
from zope_exporter.clients.zmi.pages import Caches, Panel, ZmiError
from zope_exporter.clients.zmi.probe import ZmiProber, ZmiResult, ZmiTarget, zmi_target
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.system.ttl_cache import TtlCache

from .agent.databases import CACHE_OBJECTS, CACHE_TARGET, CACHE_TARGET_BYTES
from .agent.instance import DEBUG_MODE, INFO, ZOPE

# Each visit takes a worker thread and a connection of Zope for a moment, as any request does.
PAUSE = 60.0

UP = Metric(
    "zope_zmi_up",
    "gauge",
    "Whether the management pages of a Zope without agent could be read (1) or not (0), "
    "visited at most once a minute; absent if no login is configured.",
    ZOPE,
)


class ZmiCollector:
    """Visits the ZMI of each Zope that has a login for it and no agent, which tells all of it."""

    name = "zmi"
    metrics = (UP, INFO, DEBUG_MODE, CACHE_OBJECTS, CACHE_TARGET, CACHE_TARGET_BYTES)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        probe: Callable[[ZmiTarget], ZmiResult] | None = None,
        pause: float = PAUSE,
    ) -> None:
        self._inventory = inventory
        self._results = TtlCache(probe or ZmiProber().probe, pause)

    def parts(self) -> Iterable[Part]:
        zopes = [
            (site, service.name, zope)
            for site, service in self._inventory().services()
            if (zope := zmi_target(service)) and not any(map(find_sockets, service.apart()))
        ]
        self._results.keep([zope for *_, zope in zopes])
        return [
            Part((site, name), partial(self._collect, site, name, zope))
            for site, name, zope in zopes
        ]

    def _collect(self, site: str, name: str, zope: ZmiTarget) -> Iterator[Sample]:
        result = self._results.answer(zope)
        of = {"site": site, "zope": name}
        yield UP(not result.problem, **of)
        if result.panel is not None:
            yield from _instance(result.panel, of)
        for database, caches in result.caches.items():
            yield from _database(caches, {**of, "database": database})
        if result.problem:
            raise ZmiError(result.problem)


def _instance(panel: Panel, of: dict[str, str]) -> Iterator[Sample]:
    versions = dict.fromkeys(set(INFO.labels) - set(of), "")
    versions |= {"zope_version": panel.zope_version, "python_version": panel.python_version}
    yield INFO(1, **versions, **of)
    if panel.debug_mode is not None:
        yield DEBUG_MODE(panel.debug_mode, **of)


def _database(caches: Caches, of: dict[str, str]) -> Iterator[Sample]:
    yield CACHE_OBJECTS(caches.active, state="active", **of)
    yield CACHE_OBJECTS(caches.ghosts, state="ghost", **of)
    yield CACHE_TARGET(caches.target_objects, **of)
    yield CACHE_TARGET_BYTES(caches.target_bytes, **of)
