"""The databases of a site, each with all that mounts or serves it, and how it is backed up."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from zope_exporter.maintenance.backup.place import Place
    from zope_exporter.maintenance.backup.repository import Backup

LASTING = ("filestorage", "zeo", "relstorage")


class Use(NamedTuple):
    """How a Zope mounts, or a ZEO server serves, a database."""

    service: Service
    database: Database


@dataclass(frozen=True)
class SiteDatabase:
    """A database; `storage` is its Data.fs, None where there is none on this host.

    `siblings` are the names of the other databases of the site.
    """

    site: str
    name: str
    storage: Storage | None
    uses: tuple[Use, ...]
    siblings: frozenset[str] = frozenset()

    @property
    def kinds(self) -> set[StorageKind]:
        return {use.database.kind for use in self.uses}


def site_databases(inventory: Inventory) -> list[SiteDatabase]:
    """Return every database that outlasts its process, those with a Data.fs here first."""
    found = []
    for site in inventory.sites:
        of_site = list(_of_site(site))
        names = frozenset(each.name for each in of_site)
        found += [replace(each, siblings=names - {each.name}) for each in of_site]
    return found


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


@dataclass(frozen=True)
class BackupPlan:
    """The backups of one database; `settings` are those of its site.

    They are in the directory `root` or in one below it. `siblings` are the site's other databases.
    """

    site: str
    database: str
    storage: Storage
    root: Path
    settings: BackupConfig
    siblings: frozenset[str] = frozenset()

    @cached_property
    def place(self) -> "Place":
        """Where they are, by a look at the directory and the Data.fs, either of which may hang."""
        # Here, as all commands know the plans, and few of them look into a repository.
        from zope_exporter.maintenance.backup.place import place_of

        return place_of(self.root, self.site, self.database, self.storage.data_fs, self.siblings)

    @property
    def repository(self) -> Path:
        return self.place.path

    @property
    def by_name(self) -> Path:
        """Where they are unless the database had another name, without any look."""
        from zope_exporter.maintenance.backup.place import repository_of

        return repository_of(self.root, self.database)

    def last_proven(self, report: Report) -> datetime | None:
        """Return when the last proven backup held all that the database did, None without one.

        Raises as `proven_backup` does.
        """
        return covered_at(self.proven_backup(report))

    def proven_backup(self, report: Report) -> "Backup | None":
        """Return the last proven backup.

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
            check_names(listed, self.site, self.place.database)
            with suppress(FileStorageError), opened(data_fs) as descriptor:
                check_same(descriptor, data_fs, listed, report)
        except OSError as error:
            reason = f"{self.repository}, where the backups are, cannot be read: {error.strerror}"
            raise RefusedError("backup", reason) from error
        except OtherDatabaseError as error:
            raise RefusedError("backup", error.reason, error.remedy) from error
        return listed.last_proven


def covered_at(backup: "Backup | None") -> datetime | None:
    """Return when a backup held all that the database did, None without one."""
    return datetime.fromtimestamp(backup.covered, timezone.utc) if backup else None


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
    return BackupPlan(
        database.site,
        database.name,
        database.storage,
        settings.repository,
        settings,
        database.siblings,
    )
