"""The Plone sites of databases that have no Data.fs on this host, asked for once an hour."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from zope_exporter.clients.agent.answer import AgentError
from zope_exporter.clients.agent.diagnosis import client_of
from zope_exporter.clients.connection import left
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.clients.zeo.link import ZeoError, connected
from zope_exporter.clients.zeo.order import Server
from zope_exporter.discovery.inventory import Database, Inventory, Service, Site
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.filestorage.fetched_sites import fetched_sites
from zope_exporter.storage.filestorage.followed_sites import PloneSites

READ_TIME = Metric(
    "zope_plone_sites_read_timestamp_seconds",
    "gauge",
    "Time the Plone sites of a RelStorage, or of a ZEO storage on another host, were read, in"
    " seconds since the epoch; it is done once an hour. Absent where it fails, and of a Data.fs on"
    " this host, which is followed.",
    ("site", "database"),
)

EVERY = 3600.0  # seconds
AFTER_FAILURE = 300.0
SECONDS = 10.0  # for all of a database
_UNNAMED = "1"  # what ZEO calls a storage that was given no name
# What is mounted where only the agent of a Zope is known.
_MAIN = Database("main", "relstorage")
_KINDS = "relstorage", "zeo"

Mount = tuple[Service, Database]


@dataclass(frozen=True)
class _Look:
    time: float
    sites: PloneSites | None


class PloneSitesCollector:
    """Asks the agent of a Zope for records of its RelStorage, and a ZEO server for its own.

    Who cannot be asked is told of by the collectors of agents and servers.
    """

    name = "plone_sites"
    metrics = (READ_TIME,)

    def __init__(
        self, inventory: Callable[[], Inventory], clock: Callable[[], float] = time.time
    ) -> None:
        self._inventory = inventory
        self._clock = clock
        self._resolver = Resolver()
        self._looks: dict[tuple[str, str], _Look] = {}

    def plone_sites(self) -> Mapping[tuple[str, str], PloneSites]:
        """Return the Plone sites that were found last, by site and database."""
        looks = self._looks.copy().items()
        return {of: look.sites for of, look in looks if look.sites is not None}

    def parts(self) -> Iterable[Part]:
        mounts = {
            (site.name, name): found
            for site in self._inventory().sites
            for name, found in _mounts(site).items()
        }
        self._looks = {of: look for of, look in self._looks.copy().items() if of in mounts}
        return [Part(of, partial(self._collect, of, found)) for of, found in mounts.items()]

    def _collect(self, of: tuple[str, str], mounts: Sequence[Mount]) -> Iterator[Sample]:
        look, now = self._looks.get(of), self._clock()
        pause = EVERY if look is not None and look.sites is not None else AFTER_FAILURE
        if look is None or abs(now - look.time) >= pause:
            look = self._looks[of] = _Look(now, self._read(mounts))
        if look.sites is not None:
            yield READ_TIME(look.time, site=of[0], database=of[1])

    def _read(self, mounts: Sequence[Mount]) -> PloneSites | None:
        """Ask one after the other until one answers."""
        deadline = time.monotonic() + SECONDS
        for zope, database in mounts:
            ways = _agents if database.kind == "relstorage" else self._servers
            for way in ways(zope, database, deadline):
                found = _answer(way)
                if found is not None:
                    return found
        return None

    def _servers(self, _: Service, database: Database, deadline: float) -> Iterator["_Way"]:
        for address in database.zeo_servers:
            yield partial(self._ask_server, address, database, deadline)

    def _ask_server(self, address: str, database: Database, deadline: float) -> PloneSites | None:
        with connected(address, database.zeo_tls, deadline, self._resolver) as link:
            server = Server(link, database.zeo_storage or _UNNAMED, takes_old=True)
            return fetched_sites(server.records)


_Way = Callable[[], PloneSites | None]


def _answer(way: _Way) -> PloneSites | None:
    try:
        return way()
    except (AgentError, ZeoError, TimeoutError):
        return None


def _agents(zope: Service, database: Database, deadline: float) -> Iterator[_Way]:
    for each in zope.apart():
        yield partial(_ask_agent, each, database.name, deadline)


def _ask_agent(zope: Service, database: str, deadline: float) -> PloneSites | None:
    return fetched_sites(lambda oids: client_of(zope, left(deadline)).records(database, oids))


def _mounts(site: Site) -> dict[str, list[Mount]]:
    """Return by name the databases that are elsewhere, each with the Zopes that have it."""
    here = {storage.database for storage in site.storages}
    found: dict[str, list[Mount]] = {}
    for zope in site.services:
        databases = zope.databases or ((_MAIN,) if zope.agent_socket else ())
        for database in databases if zope.kind == "zope" else ():
            if database.kind in _KINDS and database.name not in here:
                found.setdefault(database.name, []).append((zope, database))
    return found
