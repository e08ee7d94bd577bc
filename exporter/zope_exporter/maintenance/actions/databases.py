"""The databases of a site, each with all that mounts or serves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zope_exporter.discovery.inventory import Database, Inventory, Service, Site, Storage

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
