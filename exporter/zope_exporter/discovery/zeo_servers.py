"""The ZEO servers of each site: those of this host, and those its Zopes are clients of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from .declared import DeclaredZeo
from .inventory import Database, Service, TlsFiles, ZeoServer
from .naming import first_free, numbered
from .sharing import Sharing

_TLS_WANTED = (
    "wants TLS with a certificate of the client:"
    " give ca_file, cert_file and key_file for it under zeo: in the configuration"
)


@dataclass
class _Found:
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

    def add_declared(self, declared: DeclaredZeo) -> None:
        self.tls = declared.tls or self.tls
        self.monitor = declared.monitor_address or self.monitor


def zeo_servers(
    sites: Mapping[str, Sequence[Service]],
    declared: Mapping[str, Sequence[DeclaredZeo]],
    sharing: Sharing,
) -> dict[str, tuple[ZeoServer, ...]]:
    """Return the servers of each site, by its name."""
    found = {
        site: _of_site(services, declared.get(site, ()), sharing)
        for site, services in sites.items()
    }
    return {site: tuple(_made(site, found)) for site in sites}


def _of_site(
    services: Sequence[Service], declared: Sequence[DeclaredZeo], sharing: Sharing
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}

    def of(address: str) -> _Found:
        return found.setdefault(sharing.server(address), _Found(address, _label(address)))

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


def _made(site: str, found: Mapping[str, Mapping[str, _Found]]) -> Iterator[ZeoServer]:
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
