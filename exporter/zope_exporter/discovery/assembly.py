"""Making sites of settled services: each storage once, and something to probe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from .declared import DeclaredZeo
from .inventory import Database, Process, Service, Site, Storage, Target, ZeoServer
from .naming import first_free, numbered
from .sharing import Sharing, StorageKey
from .sites import Settled
from .zeo_servers import zeo_servers

Targets = Mapping[str, tuple[Target, ...]]


def assemble(
    settled: Sequence[Settled],
    declared: Targets,
    sharing: Sharing,
    declared_zeo: Mapping[str, Sequence[DeclaredZeo]] = MappingProxyType({}),
) -> tuple[Site, ...]:
    """Return the declared sites, then the others in the order of their first service.

    `declared` has the probe targets of each configured site; with none its Zopes are probed.
    """
    names = dict.fromkeys([*declared, *(site for each in settled for site in each.sites)])
    services = {name: [s.service for s in settled if name in s.sites] for name in names}
    zeo = zeo_servers(services, declared_zeo, sharing)
    known = _Storages(settled, sharing)
    return tuple(
        _site(name, services[name], declared.get(name, ()), known, zeo[name]) for name in names
    )


def _site(
    name: str,
    services: Sequence[Service],
    targets: tuple[Target, ...],
    known: "_Storages",
    zeo: tuple[ZeoServer, ...],
) -> Site:
    storages = tuple(known.storages(name, services))
    if targets:
        return Site(name, tuple(services), storages, targets, zeo)
    probes = {service.name: _root(service) for service in services if service.kind == "zope"}
    return Site(
        name,
        tuple(_with_probe_problem(service, probes.get(service.name)) for service in services),
        storages,
        tuple(Target(zope, url, any_answer=True) for zope, url in probes.items() if url),
        zeo,
    )


def _root(zope: Service) -> str | None:
    for url in zope.urls:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc:
            return f"{parts.scheme}://{parts.netloc}/"
    return None


def _with_probe_problem(service: Service, url: str | None) -> Service:
    if service.kind == "zeo" or url or service.problems or not service.wsgi_ini:
        return service
    problem = (
        f"{service.wsgi_ini}: no TCP address to probe, as with a Unix socket; "
        "configure ping: with the address of the web server in front"
    )
    return replace(service, problems=(problem,))


@dataclass
class _Found:
    """A Data.fs, and which of the services of its site keep it open."""

    data_fs: Path
    blob_dir: Path | None
    name: str
    zope: str
    owners: dict[Process, None]

    def add(self, service: Service, database: Database) -> None:
        self.blob_dir = self.blob_dir or database.blob_dir
        if service.process and (service.kind == "zeo" or database.kind == "filestorage"):
            self.owners[service.process] = None


class _Storages:
    """Knows what each storage is called by its clients, and the one site it is shown in."""

    def __init__(self, settled: Sequence[Settled], sharing: Sharing) -> None:
        self._sharing = sharing
        self._mounted: dict[StorageKey, tuple[str, str, str]] = {}
        self._site: dict[StorageKey, str] = {}
        # Clients first: where they are known, it is they that name a storage and have a site.
        for each in sorted(settled, key=lambda each: each.service.kind == "zeo"):
            for database in each.service.databases:
                self._place(each, database)

    def _place(self, settled: Settled, database: Database) -> None:
        keys = self._sharing.keys(database)
        if settled.service.kind == "zope":
            for key in keys:
                mounted = database.name, settled.service.name, settled.sites[0]
                self._mounted.setdefault(key, mounted)
        if database.data_fs and keys:
            sites = [self._mounted[key][2] for key in keys if key in self._mounted]
            own = [site for site in sites if site in settled.sites]
            self._site.setdefault(keys[0], next(iter(own), settled.sites[0]))

    def storages(self, site: str, services: Sequence[Service]) -> Iterator[Storage]:
        """Return every Data.fs of a site once."""
        found: dict[StorageKey, _Found] = {}
        for service in services:
            for database in service.databases:
                keys = self._sharing.keys(database)
                if database.data_fs and keys and self._site[keys[0]] == site:
                    name, zope, _ = self._mount(keys) or (database.name, service.name, site)
                    new = _Found(database.data_fs, None, name, zope, {})
                    found.setdefault(keys[0], new).add(service, database)
        taken: set[str] = set()
        for each in found.values():
            name = first_free(chain([each.name], numbered(f"{each.zope}-{each.name}")), taken)
            taken.add(name)
            yield Storage(name, each.data_fs, each.blob_dir, tuple(each.owners))

    def _mount(self, keys: Sequence[StorageKey]) -> tuple[str, str, str] | None:
        return next((self._mounted[key] for key in keys if key in self._mounted), None)
