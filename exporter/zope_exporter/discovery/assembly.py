"""Making sites of settled services: each storage and ZEO server once, and something to probe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from .candidate import Candidate
from .inventory import Database, Process, Service, Site, Storage, Target, TlsFiles, ZeoServer
from .sharing import Sharing, StorageKey
from .sites import first_free, numbered

_TLS_WANTED = (
    "wants TLS with a certificate of the client:"
    " give ca_file, cert_file and key_file for it under zeo: in the configuration"
)


def assemble(
    settled: Sequence[Candidate], declared: Mapping[str, Site], sharing: Sharing
) -> tuple[Site, ...]:
    """Return the declared sites, then the others in the order of their first service.

    With no probe targets of its own, the Zopes of a site are probed.
    """
    names = dict.fromkeys([*declared, *(site for each in settled for site in each.sites)])
    services: dict[str, list[Service]] = {name: [] for name in names}
    for each in settled:
        for name in dict.fromkeys(each.sites):
            services[name].append(each.service)
    zeo = zeo_servers(services, {name: site.zeo for name, site in declared.items()}, sharing)
    known = _Storages(settled, sharing)
    return tuple(
        replace(
            _site(name, services[name], declared.get(name, Site(name)).targets, known, zeo[name]),
            shared_by=declared.get(name, Site(name)).shared_by or sharing.shared_by(services[name]),
        )
        for name in names
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
class _FoundStorage:
    """A Data.fs, and which of the services of its site keep it open."""

    data_fs: Path
    blob_dir: Path | None
    name: str
    zope: str
    owners: dict[Process, None]
    over_base: bool = False

    def add(self, service: Service, database: Database) -> None:
        self.blob_dir = self.blob_dir or database.blob_dir
        self.over_base = self.over_base or database.over_base
        if service.process and (service.kind == "zeo" or database.kind == "filestorage"):
            self.owners.update(dict.fromkeys(service.processes))


class _Storages:
    """Knows what each storage is called by its clients, and the one site it is shown in."""

    def __init__(self, settled: Sequence[Candidate], sharing: Sharing) -> None:
        self._sharing = sharing
        self._mounted: dict[StorageKey, tuple[str, str, str]] = {}
        self._site: dict[StorageKey, str] = {}
        # Clients first: where they are known, it is they that name a storage and have a site.
        for each in sorted(settled, key=lambda each: each.service.kind == "zeo"):
            for database in each.service.databases:
                self._place(each, database)

    def _place(self, settled: Candidate, database: Database) -> None:
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
        found: dict[StorageKey, _FoundStorage] = {}
        for service in services:
            for database in service.databases:
                keys = self._sharing.keys(database)
                if database.data_fs and keys and self._site[keys[0]] == site:
                    name, zope, _ = self._mount(keys) or (database.name, service.name, site)
                    new = _FoundStorage(database.data_fs, None, name, zope, {})
                    found.setdefault(keys[0], new).add(service, database)
        taken: set[str] = set()
        for each in found.values():
            name = first_free(chain([each.name], numbered(f"{each.zope}-{each.name}")), taken)
            taken.add(name)
            yield Storage(name, each.data_fs, each.blob_dir, tuple(each.owners), each.over_base)

    def _mount(self, keys: Sequence[StorageKey]) -> tuple[str, str, str] | None:
        return next((self._mounted[key] for key in keys if key in self._mounted), None)


@dataclass
class _FoundServer:
    """A server as one site knows it."""

    address: str
    name: str
    service: Service | None = None
    storages: dict[str, None] = field(default_factory=dict)
    tls: TlsFiles | None = None
    encrypted: bool = False
    monitor: str = ""

    def add_service(self, service: Service) -> None:
        self.service, self.name = service, service.name
        self.monitor = self.monitor or service.monitor_address
        self.tls = service.tls or self.tls
        self.encrypted = self.encrypted or service.wants_tls

    def add_client(self, database: Database) -> None:
        if database.zeo_storage:
            self.storages[database.zeo_storage] = None
        self.tls = self.tls or database.zeo_tls
        self.encrypted = self.encrypted or database.zeo_tls is not None

    def add_declared(self, declared: ZeoServer) -> None:
        self.tls = declared.tls or self.tls
        self.monitor = declared.monitor or self.monitor


def zeo_servers(
    sites: Mapping[str, Sequence[Service]],
    declared: Mapping[str, Sequence[ZeoServer]],
    sharing: Sharing,
) -> dict[str, tuple[ZeoServer, ...]]:
    """Return the servers of each site, by its name."""
    found = {
        site: _of_site(services, declared.get(site, ()), sharing)
        for site, services in sites.items()
    }
    return {site: tuple(_made(site, found)) for site in sites}


def _of_site(
    services: Sequence[Service], declared: Sequence[ZeoServer], sharing: Sharing
) -> dict[str, _FoundServer]:
    found: dict[str, _FoundServer] = {}

    def of(address: str) -> _FoundServer:
        return found.setdefault(sharing.server(address), _FoundServer(address, _label(address)))

    # Of two servers configured for one address the one that runs comes last, and is the one.
    for service in sorted(services, key=lambda each: each.process is not None):
        if service.kind == "zeo" and service.address:
            of(service.address).add_service(service)
    for entry in declared:
        of(entry.address).add_declared(entry)
    for service in services:
        for database in service.databases if service.kind == "zope" else ():
            for address in database.zeo_servers:
                of(address).add_client(database)
    return found


def _made(site: str, found: Mapping[str, Mapping[str, _FoundServer]]) -> Iterator[ZeoServer]:
    taken: set[str] = set()
    for key, server in found[site].items():
        elsewhere = frozenset(
            storage
            for other, servers in found.items()
            if other != site and key in servers
            for storage in servers[key].storages
        )
        # What no site is known to use is shown once, with the first site of the server.
        shows_rest = next(other for other, servers in found.items() if key in servers) == site
        served = server.service.databases if server.service and shows_rest else ()
        rest = [each.zeo_storage for each in served if each.zeo_storage not in elsewhere]
        name = first_free(numbered(server.name), taken)
        taken.add(name)
        yield ZeoServer(
            name,
            server.address,
            tuple(dict.fromkeys([*server.storages, *rest])),
            elsewhere if shows_rest else None,
            server.tls,
            server.monitor,
            f"{server.address} {_TLS_WANTED}" if server.encrypted and not server.tls else "",
        )


def _label(address: str) -> str:
    return PurePath(address).name if "/" in address else address
