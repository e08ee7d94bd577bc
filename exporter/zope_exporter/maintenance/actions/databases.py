"""The databases of a site, each with all that mounts or serves it, and how it is backed up."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from zope_exporter.config.actions import BackupConfig
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Service,
    Site,
    Storage,
    StorageKind,
)
from zope_exporter.maintenance.jobs.report import RefusedError, Report

LASTING = ("filestorage", "zeo", "relstorage")


class Use(NamedTuple):
    """How a Zope mounts, or a ZEO server serves, a database."""

    service: Service
    database: Database


@dataclass(frozen=True)
class SiteDatabase:
    """A database; `storage` is its Data.fs, None where there is none on this host."""

    site: str
    name: str
    storage: Storage | None
    uses: tuple[Use, ...]

    @property
    def kinds(self) -> set[StorageKind]:
        return {use.database.kind for use in self.uses}


def site_databases(inventory: Inventory) -> list[SiteDatabase]:
    """Return every database that outlasts its process, those with a Data.fs here first."""
    return [database for site in inventory.sites for database in _of_site(site)]


def _of_site(site: Site) -> Iterator[SiteDatabase]:
    for storage in site.storages:
        uses = tuple(use for use in _uses(site) if _is_of(use.database, storage))
        yield SiteDatabase(site.name, storage.database, storage, uses)
    known = {storage.database for storage in site.storages}
    elsewhere: dict[str, list[Use]] = {}
    for use in _uses(site):
        name = use.database.name
        if use.service.kind == "zope" and use.database.data_fs is None and name not in known:
            elsewhere.setdefault(name, []).append(use)
    for name, uses_of_one in elsewhere.items():
        yield SiteDatabase(site.name, name, None, tuple(uses_of_one))


def _uses(site: Site) -> Iterator[Use]:
    for service in site.services:
        for database in service.databases:
            if database.kind in LASTING:
                yield Use(service, database)


def _is_of(database: Database, storage: Storage) -> bool:
    if database.data_fs is None:  # a client of the server that serves it
        return database.name == storage.database
    return database.data_fs == storage.data_fs


ROOT_DATABASE = "main"
DATABASES = "databases"


@dataclass(frozen=True)
class BackupPlan:
    """The backups of one database; `settings` are those of its site."""

    site: str
    database: str
    storage: Storage
    repository: Path
    settings: BackupConfig

    def last_proven(self, report: Report) -> datetime | None:
        """Return when the last proven backup held all that the database did, None without one.

        Raises RefusedError if the repository cannot be read, or is of another database.
        """
        # Here, as all commands know the plans, and few of them look into a repository.
        from zope_exporter.maintenance.backup.identity import (
            OtherDatabaseError,
            check_names,
            check_same,
        )
        from zope_exporter.maintenance.backup.repository import read_repository
        from zope_exporter.storage.filestorage.datafile import FileStorageError, opened

        data_fs = self.storage.data_fs
        try:
            listed = read_repository(self.repository)
            check_names(listed, self.site, self.database)
            with suppress(FileStorageError), opened(data_fs) as descriptor:
                check_same(descriptor, data_fs, listed, report)
        except OSError as error:
            reason = f"{self.repository}, where the backups are, cannot be read: {error.strerror}"
            raise RefusedError("backup", reason) from error
        except OtherDatabaseError as error:
            raise RefusedError("backup", error.reason, error.remedy) from error
        proven = listed.last_proven
        return None if proven is None else datetime.fromtimestamp(proven.covered, timezone.utc)


def backup_plans(config: Config, inventory: Inventory) -> Iterator[BackupPlan]:
    """Yield the plan of every database that is on this host and shall be backed up."""
    for database in site_databases(inventory):
        plan = backup_plan(config, database)
        if plan is not None:
            yield plan


def backup_plan(config: Config, database: SiteDatabase) -> BackupPlan | None:
    """Return the plan of a database, None if it is not to be backed up here."""
    settings = next((site.backup for site in config.sites if site.name == database.site), None)
    if settings is None or settings.repository is None or database.storage is None:
        return None
    if settings.databases and database.name not in settings.databases:
        return None
    repository = repository_of(settings.repository, database.name)
    return BackupPlan(database.site, database.name, database.storage, repository, settings)


def repository_of(root: Path, database: str) -> Path:
    """Return where the backups of a database are.

    That of `main` is the directory itself, and stays so when a second database is mounted.
    """
    if database == ROOT_DATABASE:
        return root
    name = quote(database, safe=" ").replace(".", "%2E")  # neither a path nor a parent directory
    return root / DATABASES / name


def repositories(root: Path) -> list[tuple[str, Path]]:
    """Return the databases whose backups are in a configured directory, and where each has them.

    By what is there alone: of a host that is lost, nobody knows which databases it had.
    """
    try:
        others = sorted(each for each in (root / DATABASES).iterdir() if _is_directory(each))
    except OSError:  # mostly there is none; what cannot be read is said of the directory itself
        others = []
    return [(ROOT_DATABASE, root), *((unquote(each.name), each) for each in others)]


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
