"""What only a Zope itself knows: asked of the agent inside each, where there is one."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zope_exporter.clients.agent.addons import Addons, addons_of
from zope_exporter.clients.agent.answer import AgentError, Answer
from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.agent.sockets import find_sockets
from zope_exporter.clients.agent.views import Sums, merged
from zope_exporter.discovery.inventory import Inventory, Service
from zope_exporter.logs.followed import FollowedLogs
from zope_exporter.metrics.metric import Metric, Part, Sample

from . import databases, instance, views
from . import logs as logged

UP = Metric(
    "zope_agent_up",
    "gauge",
    "Whether the agent inside Zope answered (1) or not (0); absent where there is none.",
    instance.ZOPE,
)

# Beyond what an agent takes when all threads of its Zope burn CPU.
TIMEOUT = 5.0

_SAMPLES = (
    instance.instance_samples,
    databases.database_samples,
    databases.conflict_samples,
    databases.storage_samples,
    instance.serving_samples,
    views.view_samples,
)


class IncompleteError(AgentError):
    """An agent has answered, but not all."""


def samples_of(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield all that an answer holds; what it lacks or has wrong is in its problems then."""
    for samples in _SAMPLES:
        yield from samples(answer, site, zope)


class _Told(NamedTuple):
    """What an agent told last that others make something of."""

    views: Mapping[str, Sums]
    addons: Addons


class AgentCollector:
    """Asks the agent of every Zope; a Zope that has none is simply without these series."""

    name = "agent"
    metrics: tuple[Metric, ...] = (
        UP,
        *instance.METRICS,
        *databases.METRICS,
        *views.METRICS,
        *logged.METRICS,
    )

    def __init__(
        self, inventory: Callable[[], Inventory], logs: FollowedLogs, timeout: float = TIMEOUT
    ) -> None:
        self._inventory = inventory
        self._logged = logged.LoggedSamples(logs)
        self._timeout = timeout
        self._told: dict[tuple[str, str], _Told] = {}

    def views(self, site: str) -> Mapping[str, Sums]:
        """Return what was asked for of a site in the last hour, as of the last scrape."""
        return merged(told.views for (of, _), told in self._told.copy().items() if of == site)

    def addons(self) -> Mapping[tuple[str, str], Addons]:
        """Return what the agents that answered last told of add-ons, by site and Zope."""
        return {of: told.addons for of, told in self._told.copy().items()}

    def parts(self) -> Iterable[Part]:
        inventory = self._inventory()
        shared = logged.shared_files(service for _, service in inventory.services())
        serving = list(inventory.serving())
        here = {(site, zope.name) for site, zope in serving}
        self._told = {of: told for of, told in self._told.copy().items() if of in here}
        began = self._logged.begin(here)
        for site, zope in serving:
            yield Part((site, zope.name), partial(self._collect, site, zope, shared, began))
        if serving:
            yield Part(("", "logs"), self._logged.differences)

    def _collect(
        self, site: str, service: Service, shared: Collection[str], began: float
    ) -> Iterator[Sample]:
        try:
            sockets = find_sockets(service)
            if not sockets:
                self._forget(site, service)
            for socket in sockets:
                yield from self._tell(socket, site, service, shared, began)
        finally:
            self._logged.ended(site, service)

    def _tell(
        self, socket: Path, site: str, service: Service, shared: Collection[str], began: float
    ) -> Iterator[Sample]:
        of = {"site": site, "zope": service.name}
        before = self._logged.before(site, service, began)
        try:
            answer = self._ask(socket, service)
        except AgentError:
            self._forget(site, service)
            yield UP(0, **of)
            raise
        yield UP(1, **of)
        recent = views.last_hour(answer)
        yield from samples_of(answer, **of)
        self._told[site, service.name] = _Told(recent, addons_of(answer))
        yield from self._logged.of(answer, site, service, before, shared)
        if answer.problems:
            raise IncompleteError(f"the agent lacks {'; '.join(answer.problems)}")

    def _forget(self, site: str, service: Service) -> None:
        self._told.pop((site, service.name), None)
        self._logged.forget(site, service)

    def _ask(self, socket: Path, service: Service) -> Answer:
        pid = service.process.pid if service.process else None
        return AgentClient(socket, self._timeout, pid).status()
