"""Which databases are backed up, where to, and how often that must be."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from zope_exporter.config.actions import BackupConfig
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report

from .databases import SiteDatabase, site_databases

ROOT_DATABASE = "main"


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
        from zope_exporter.maintenance.backup.listing import read_repository
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
    if settings is None or database.storage is None:
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
    return root / "databases" / name
