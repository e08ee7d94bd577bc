"""What the configuration says of sites, over what discovery finds by itself."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .conf.address import zeo_address
from .inventory import Database, Service, Target, TlsFiles, ZmiLogin


@dataclass(frozen=True)
class DeclaredService:
    """A Zope or ZEO server of the configuration; what is given here outranks what files say.

    `data_fs` and `blob_dir` are those of the main database.
    """

    kind: Literal["zope", "zeo"]
    config: Path | None = None
    wsgi_ini: Path | None = None
    name: str = ""
    address: str = ""
    monitor_address: str = ""
    tls: TlsFiles | None = None
    data_fs: Path | None = None
    blob_dir: Path | None = None
    access_log: Path | None = None
    event_log: Path | None = None
    pid_file: Path | None = None
    agent: Path | None = None
    zmi: ZmiLogin | None = None

    @property
    def process_file(self) -> Path | None:
        """The file with the process id; of a Data.fs alone, the lock of whoever has it open."""
        if self.pid_file or self.config or self.wsgi_ini or self.data_fs is None:
            return self.pid_file
        return self.data_fs.with_name(f"{self.data_fs.name}.lock")

    def over(self, service: Service) -> Service:
        """Return what was read with what was given by hand in its place."""
        return replace(
            service,
            address=self._address() or service.address,
            monitor_address=self.monitor_address or service.monitor_address,
            tls=self.tls,
            databases=self._databases(service),
            access_log=self.access_log or service.access_log,
            event_log=self.event_log or service.event_log,
            pid_file=self.pid_file or service.pid_file,
            agent_socket=self.agent,
            zmi=self.zmi,
        )

    def _address(self) -> str:
        try:
            return zeo_address(self.address) if self.address else ""
        except ValueError:  # whoever connects there says so better
            return self.address

    def _databases(self, service: Service) -> tuple[Database, ...]:
        databases = list(service.databases)
        if self.address:
            databases = [replace(each, zeo_servers=(self._address(),)) for each in databases]
        if not self.data_fs and not self.blob_dir:
            return tuple(databases)
        if not databases and self.data_fs:
            databases = [Database("main", "filestorage")]
        for index, database in enumerate(databases):
            if "/" in database.mount_points:
                databases[index] = replace(
                    database,
                    data_fs=self.data_fs or database.data_fs,
                    blob_dir=self.blob_dir or database.blob_dir,
                )
                break
        return tuple(databases)


@dataclass(frozen=True)
class DeclaredZeo:
    """A ZEO server of which the configuration gives the address alone, here or elsewhere."""

    address: str
    monitor_address: str = ""
    tls: TlsFiles | None = None


@dataclass(frozen=True)
class Declared:
    """A site of the configuration; with targets, they are all that is probed by HTTP."""

    site: str
    services: tuple[DeclaredService, ...] = ()
    targets: tuple[Target, ...] = ()
    zeo: tuple[DeclaredZeo, ...] = ()
