"""Backups that others make, of which a file tells when the last one succeeded."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.config.actions import VERIFY, BackupConfig, ExternalConfig
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.maintenance.backup.target import ROOT_DATABASE
from zope_exporter.maintenance.jobs.report import RefusedError

from .databases import site_databases
from .pgbackrest import last_of_stanza

UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".lock")


@dataclass(frozen=True)
class ExternalBackup:
    """How the backups of one database are watched; `max_age` in seconds."""

    site: str
    database: str
    path: Path
    max_age: float
    stanza: str | None = None

    def last_success(self) -> float | None:
        """Return when the file, or the newest in the directory, was last written to.

        Or when the last backup of a stanza ended, as the file says. None if there is none yet.
        Raises OSError if it cannot be looked at.
        """
        try:
            if self.stanza is not None:
                return last_of_stanza(self.path, self.stanza)
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return _newest(self.path) if stat.S_ISDIR(found.st_mode) else found.st_mtime

    def refusal(self, action: str) -> RefusedError:
        """Return why no action of ours can be done to these backups."""
        reason = (
            f"the backups of {self.database} of {self.site} are made by another program, and"
            f" `backup: external:` only watches {self.path}"
        )
        how = "prove them" if action == VERIFY else "make one"
        return RefusedError("external", reason, f"{how} with that program")


def _newest(directory: Path) -> float | None:
    """Return the time of the newest file in a directory.

    Neither hidden nor empty ones count, nor those with the name of something unfinished: a dump
    that fails often leaves an empty file behind.
    """
    times = []
    for path in directory.iterdir():
        if path.name.startswith(".") or path.name.endswith(UNFINISHED):
            continue
        with suppress(FileNotFoundError):  # removed meanwhile, or a link to nothing
            found = path.stat()
            if stat.S_ISREG(found.st_mode) and found.st_size:
                times.append(found.st_mtime)
    return max(times, default=None)


def external_backups(config: Config, inventory: Inventory) -> Iterator[ExternalBackup]:
    """Yield how each database is watched whose backups others make.

    Also where discovery finds none: whatever has become of its Zopes, its backups have an age.
    """
    found = [(each.site, each.name) for each in site_databases(inventory)]
    for site in config.sites:
        if site.backup is not None and site.backup.external is not None:
            known = [database for name, database in found if name == site.name]
            for database in site.backup.databases or known or [ROOT_DATABASE]:
                yield _external(site.name, database, site.backup, site.backup.external)


def backed_up_elsewhere(config: Config, inventory: Inventory) -> list[tuple[str, str]]:
    """Return site and name of each database whose backups are not to be watched here."""
    chosen = {s.name: s.backup.databases for s in config.sites if s.backup and s.backup.elsewhere}
    return [
        (each.site, each.name)
        for each in site_databases(inventory)
        if each.site in chosen and each.name in (chosen[each.site] or (each.name,))
    ]


def _external(
    site: str, database: str, backup: BackupConfig, external: ExternalConfig
) -> ExternalBackup:
    max_age = backup.max_age if external.max_age is None else external.max_age
    return ExternalBackup(site, database, external.file, max_age, external.stanza)
