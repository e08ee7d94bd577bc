"""Which services share a storage: one Data.fs, or one storage of one ZEO server."""

import hashlib
import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

import psutil

from zope_exporter.system.foreign_root import real_path

from .inventory import Database, Service
from .looking import Looking

T = TypeVar("T")
StorageKey = tuple[str, str | int, str | int]
"""What identifies a storage: ("file", device, inode) or ("zeo", address, storage)."""


class Sharing:
    """Identifies storages, across the different names of a file and of this host."""

    def __init__(
        self,
        services: Iterable[Service],
        local_hosts: Collection[str],
        looking: Looking | None = None,
    ) -> None:
        self._local_hosts = local_hosts
        self._looking = looking or Looking()
        self._served: dict[StorageKey, StorageKey] = {}
        self._files: dict[Path, StorageKey] = {}
        # Of two servers configured for one address the one that runs is the one that answers.
        servers = sorted(
            (each for each in services if each.kind == "zeo"), key=lambda each: not each.process
        )
        self._servers = sorted({each.address for each in servers if each.address})
        for database in (database for server in servers for database in server.databases):
            if database.data_fs:
                for key in self._zeo_keys(database):
                    self._served.setdefault(key, self._file_key(database.data_fs))

    def keys(self, database: Database) -> tuple[StorageKey, ...]:
        """Return all that identifies the storage of a database, its own file first."""
        if database.kind == "temporary":
            return ()
        own = [self._file_key(database.data_fs)] if database.data_fs else []
        zeo = self._zeo_keys(database)
        if database.sql_database:
            own.append(("sql", database.sql_database, ""))
        return tuple(dict.fromkeys([*own, *zeo, *(self._served.get(key, key) for key in zeo)]))

    def service_keys(self, service: Service) -> frozenset[StorageKey]:
        return frozenset(key for database in service.databases for key in self.keys(database))

    def _file_key(self, data_fs: Path) -> StorageKey:
        # Once for each file: a pack may put another one in its place at any moment.
        if data_fs not in self._files:
            self._files[data_fs] = self._key_of(data_fs)
        return self._files[data_fs]

    def _key_of(self, data_fs: Path) -> StorageKey:
        if not self._looking.answers(data_fs):
            return "file", str(data_fs), ""
        try:
            status = data_fs.stat()
        except OSError:
            return "file", real_path(data_fs), ""
        return "file", status.st_dev, status.st_ino

    def _zeo_keys(self, database: Database) -> list[StorageKey]:
        storage = database.zeo_storage or "1"
        return [("zeo", self.server(address), storage) for address in database.zeo_servers]

    def server(self, address: str) -> str:
        """Return what identifies a ZEO server: the address that a server known here is configured
        with, if this one leads to it."""
        if "/" in address:
            return real_path(address) if self._looking.answers(address) else address
        if address in self._servers or not self._is_local(address):
            return address
        port = address.rpartition(":")[2]
        here = (server for server in self._servers if self._is_local(server))
        same = (server for server in here if server.rpartition(":")[2] == port)
        return next(same, f"127.0.0.1:{port}")

    def elsewhere(self, service: Service) -> str:
        """Return what names the storage of a Zope's root on other hosts too, such as
        `zeo.example.org-8100`; "" if its server is on this host, or may be another one there.
        """
        root = next((each for each in service.databases if "/" in each.mount_points), None)
        if root and root.sql_database:
            return self._sql_elsewhere(root.sql_database)
        servers = sorted(root.zeo_servers) if root and service.kind == "zope" else []
        if not root or not servers or not all(map(self._means_the_same_elsewhere, servers)):
            return ""
        storage = f"-{root.zeo_storage}" if root.zeo_storage not in ("", "1") else ""
        host, port = _host(servers[0]).replace(":", "-"), servers[0].rpartition(":")[2]
        return f"{host}-{port}{storage}"

    def _sql_elsewhere(self, database: str) -> str:
        server, _, name = database.partition("/")
        known = self._means_the_same_elsewhere(server)
        return f"{_host(server).replace(':', '-')}-{name.replace('/', '-')}" if known else ""

    def shared_by(self, services: Iterable[Service]) -> str:
        """Return a fingerprint of the storage that other hosts may use too, "" for none."""
        names = sorted(filter(None, map(self.elsewhere, services)))
        return hashlib.sha256(names[0].encode()).hexdigest()[:8] if names else ""

    def _means_the_same_elsewhere(self, address: str) -> bool:
        local = "/" in address or self._is_local(address)
        return not local and means_the_same_everywhere(_host(address))

    def _is_local(self, address: str) -> bool:
        host = _host(address)
        return host.startswith("127.") or host == "::1" or host in self._local_hosts


def connected(items: Iterable[tuple[T, frozenset[StorageKey]]]) -> list[list[T]]:
    """Put together all that share a key, directly or through others; the first stays first."""
    groups: list[tuple[list[T], frozenset[StorageKey]]] = []
    for item, keys in items:
        linked = [group for group in groups if group[1] & keys]
        first = groups.index(linked[0]) if linked else len(groups)
        members = [member for group in linked for member in group[0]]
        shared = keys.union(*(group[1] for group in linked))
        groups = [group for group in groups if group not in linked]
        groups.insert(first, ([*members, item], shared))
    return [members for members, _ in groups]


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


# Addresses that container engines give out by themselves, on each host the same ones.
_OF_ENGINES = ipaddress.ip_network("172.16.0.0/12")
_ENGINES_OWN = (".docker.internal", ".containers.internal", ".local", ".localdomain")


def means_the_same_everywhere(host: str) -> bool:
    """Tell whether a host name or address leads to the same host from each other one.

    Names without a dot do not: `zeo` or `db` is another container in each composition.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." in host and not host.endswith(_ENGINES_OWN)
    return not (address.is_loopback or address.is_link_local or address in _OF_ENGINES)


# What a container runtime calls a container says nothing, and changes when that is made anew; of a
# pod of a Deployment that is the end of its name only.
_CONTAINER = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")
_OF_A_POD = re.compile(r"-[0-9a-f]{6,10}-[a-z0-9]{5}$")


def own_name(hostname: Callable[[], str] = socket.gethostname) -> str:
    """Return what people call this host, or "" for a container that nobody has named."""
    name = hostname().lower().rstrip(".")
    name = name.encode("utf-8", "replace").decode()
    return "" if name == "localhost" or _CONTAINER.fullmatch(name) else _OF_A_POD.sub("", name)


def local_hosts(hosts_file: Path = Path("/etc/hosts")) -> frozenset[str]:
    """Return every name and address of this host that its own files and interfaces give."""
    addresses = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    names = {socket.gethostname().lower()}
    try:
        lines = hosts_file.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        address, *aliases = line.partition("#")[0].lower().split() or [""]
        if address in addresses or address.startswith("127."):
            names.update(aliases)
    return frozenset(addresses | names)
