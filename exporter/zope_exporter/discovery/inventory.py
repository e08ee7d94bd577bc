"""What there is to watch on this host: sites with their processes, storages and probe targets.

Discovery makes an inventory anew every few seconds; it is never changed afterwards, so collectors
read it without a lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

StorageKind = Literal["filestorage", "zeo", "relstorage", "temporary", "other"]


@dataclass(frozen=True)
class Process:
    """A process of this host.

    The start time (seconds since the epoch) tells it from a later process of the same number.
    """

    pid: int
    start_time: float


@dataclass(frozen=True)
class Worker:
    """One of the processes that serve for a master, with the number it is told apart by.

    It keeps the number as long as it lives; the one that takes its place may get it then.
    """

    number: int
    process: Process


@dataclass(frozen=True)
class TlsFiles:
    """What a client of a TLS server needs: files in PEM format, read when they are used.

    `ca` is a file or a directory of certificates to trust, None for those of the system. `hostname`
    is the name in the server's certificate where that is not the host it is reached by.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    hostname: str = ""
    check_hostname: bool = True


@dataclass(frozen=True)
class Database:
    """A database as one zope.conf mounts it.

    `section` is the type of its section in zope.conf, the innermost one, where its kind is `other`.
    `sql_database` is where a RelStorage keeps it, as host:port/name, if that much is known. What
    lies `over_base` are the changes of a demo storage: not all that they refer to is in them.
    """

    name: str
    kind: StorageKind
    mount_points: tuple[str, ...] = ("/",)
    data_fs: Path | None = None
    blob_dir: Path | None = None
    zeo_servers: tuple[str, ...] = ()
    zeo_storage: str = ""
    zeo_tls: TlsFiles | None = None
    sql_database: str = ""
    over_base: bool = False
    section: str = ""
    pool_size: int = 7
    cache_objects: int = 5000
    cache_bytes: int = 0


@dataclass(frozen=True)
class ZmiLogin:
    """How to visit the management pages of a Zope; its root is at `url`."""

    url: str
    username: str
    password_file: Path


@dataclass(frozen=True)
class EventLog:
    """An event log with the format of its handler, None if that is not told."""

    path: Path
    format: str | None = None
    date_format: str | None = None


@dataclass(frozen=True)
class Service:
    """A Zope or a ZEO server, running or not, as its configuration files describe it.

    `config` is its zope.conf or zeo.conf, None where only a Data.fs or an address is known.
    The agent of a Zope makes its socket in `agent_home`, which is the client home unless zope.conf
    says otherwise; `agent_socket` is the socket itself, or its directory, if given by hand.
    `address` is where a ZEO server listens, `monitor_address` where that of Zope 2 tells how it is,
    `tls` what it takes to be its client if it `wants_tls`; `databases` of one are the storages it
    serves.
    Where other processes serve for `process`, which is their master then, they are its `workers`;
    a worker by itself `is_one_of_several` if there are others.
    `pipeline` are the WSGI filters and the application as the ini file names them, the outermost
    first, and `pipeline_code` is the code behind each. `access_log_format` is that of translogger.
    Both logs may be one file. `more_event_logs` have what is not in `event_log`.
    """

    kind: Literal["zope", "zeo"]
    name: str
    config: Path | None
    wsgi_ini: Path | None = None
    home: Path | None = None
    urls: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    threads: int | None = None
    debug_mode: bool = False
    pid_file: Path | None = None
    access_log: Path | None = None
    access_log_format: str | None = None
    event_log: Path | None = None
    event_log_format: str | None = None
    event_log_date_format: str | None = None
    more_event_logs: tuple[EventLog, ...] = ()
    pipeline: tuple[str, ...] = ()
    pipeline_code: tuple[str, ...] = ()
    address: str = ""
    monitor_address: str = ""
    wants_tls: bool = False
    tls: TlsFiles | None = None
    agent_home: Path | None = None
    agent_socket: Path | None = None
    zmi: ZmiLogin | None = None
    process: Process | None = None
    workers: tuple[Worker, ...] = ()
    is_one_of_several: bool = False
    problems: tuple[str, ...] = ()

    @property
    def processes(self) -> tuple[Process, ...]:
        """All of them, the master first."""
        own = () if self.process is None else (self.process,)
        return (*own, *(worker.process for worker in self.workers))

    @property
    def is_elsewhere(self) -> bool:
        """Whether nothing of it is on this host, and only a login for its management is known."""
        known = self.config or self.wsgi_ini or self.databases or self.pid_file
        return self.zmi is not None and not (known or self.agent_socket or self.process)

    def apart(self) -> tuple["Service", ...]:
        """The same for each process that serves, for what can only be asked of one.

        One worker is the service itself; of several each has its number in its name.
        """
        if not self.workers:
            return (self,)
        several = len(self.workers) > 1
        return tuple(
            replace(
                self,
                name=f"{self.name}-{each.number}" if several else self.name,
                process=each.process,
                workers=(),
                is_one_of_several=several,
            )
            for each in self.workers
        )


@dataclass(frozen=True)
class Storage:
    """A Data.fs, once, whoever mounts or serves it; `database` is the name Zope mounts it as.

    `over_base` as for a Database.
    """

    database: str
    data_fs: Path
    blob_dir: Path | None = None
    owners: tuple[Process, ...] = ()
    over_base: bool = False


@dataclass(frozen=True)
class ZeoServer:
    """A ZEO server, here or elsewhere, as one site knows it.

    `storages` are those this site uses; of the others that the server has, the site shows all but
    those used `elsewhere`, or none if that is None. With a `problem` it cannot be asked.
    """

    name: str
    address: str
    storages: tuple[str, ...] = ()
    elsewhere: frozenset[str] | None = frozenset()
    tls: TlsFiles | None = None
    monitor: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Target:
    """An address to probe.

    `expect` is the whole body but for white space at its ends, `expect_regex` a pattern (RE2) found
    anywhere in it. Without `status`, any 2xx answer is a good one. `timeout` (seconds) covers all
    from name resolution to the last byte. A target that discovery made up has `any_answer`: it may
    redirect or refuse, so that only silence and 5xx count against it.
    """

    name: str
    url: str
    expect: str | None = None
    expect_regex: str | None = None
    status: tuple[int, ...] = ()
    any_answer: bool = False
    timeout: float = 5.0


@dataclass(frozen=True)
class Site:
    """All that shares one storage, or that the configuration puts under one name.

    With `shared_by` other hosts have a part in it, and the site of this name on another host is the
    same one if it has the same there; without, it is a stranger.
    """

    name: str
    services: tuple[Service, ...] = ()
    storages: tuple[Storage, ...] = ()
    targets: tuple[Target, ...] = ()
    zeo: tuple[ZeoServer, ...] = ()
    shared_by: str = ""


@dataclass(frozen=True)
class Inventory:
    """All sites, and what kept discovery from seeing more.

    Its methods give everything of one kind, each with the name of its site.
    """

    sites: tuple[Site, ...] = ()
    problems: tuple[str, ...] = ()

    def services(self) -> Iterator[tuple[str, Service]]:
        return ((site.name, service) for site in self.sites for service in site.services)

    def zopes(self) -> Iterator[tuple[str, Service]]:
        return ((site, service) for site, service in self.services() if service.kind == "zope")

    def serving(self) -> Iterator[tuple[str, Service]]:
        """All Zopes, those with several workers by worker."""
        return ((site, each) for site, zope in self.zopes() for each in zope.apart())

    def storages(self) -> Iterator[tuple[str, Storage]]:
        return ((site.name, storage) for site in self.sites for storage in site.storages)

    def targets(self) -> Iterator[tuple[str, Target]]:
        return ((site.name, target) for site in self.sites for target in site.targets)

    def zeo_servers(self) -> Iterator[tuple[str, ZeoServer]]:
        return ((site.name, server) for site in self.sites for server in site.zeo)
