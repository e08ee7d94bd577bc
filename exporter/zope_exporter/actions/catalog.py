"""All that can be done to the databases that are known at the moment."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from zope_exporter.config.schema import Config
from zope_exporter.inventory import Inventory
from zope_exporter.jobs.job import Task
from zope_exporter.jobs.lock import LockPlace
from zope_exporter.jobs.report import RefusedError
from zope_exporter.jobs.store import JobStore
from zope_exporter.jobs.work import Work

from .backups import BackupPlan, backup_plan, backup_plans
from .databases import SiteDatabase, site_databases


class ActionCatalog:
    """Finds what a task is about in the configuration and the inventory of the moment."""

    def __init__(self, config: Config, inventory: Callable[[], Inventory], store: JobStore) -> None:
        self._config = config
        self._inventory = inventory
        self.store = store

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""
        return [
            (database.site, database.name)
            for database in site_databases(self._inventory())
            if action == "pack" or backup_plan(self._config, database) is not None
        ]

    def configured(self) -> Iterator[Task]:
        """Yield the tasks that the configuration speaks of, whether they ever ran or not."""
        if self._config.actions is not None:
            for site, database in self.targets("pack"):
                yield Task(site, database, "pack")
        for plan in self.plans():
            yield Task(plan.site, plan.database, "backup")
            yield Task(plan.site, plan.database, "verify")

    def plans(self) -> list[BackupPlan]:
        """Return the plan of every database that is backed up here."""
        return list(backup_plans(self._config, self._inventory()))

    def work(self, task: Task) -> Work:
        """Return what the task takes.

        Raises RefusedError: `unknown` or `unconfigured`; StateError without a state directory.
        """
        database = self._database(task)
        raise RefusedError("unavailable", f"{task.action} of {database.name} is not possible yet")

    def _database(self, task: Task) -> SiteDatabase:
        found = [each for each in site_databases(self._inventory()) if each.site == task.site]
        if not found:
            raise RefusedError("unknown", f"no site is called {task.site}", _known(self._sites()))
        for database in found:
            if database.name == task.database:
                return database
        names = [database.name for database in found]
        reason = f"{task.site} has no database {task.database}"
        raise RefusedError("unknown", reason, _known(names))

    def _sites(self) -> list[str]:
        return [site.name for site in self._inventory().sites]

    def _lock(self, database: SiteDatabase) -> LockPlace:
        directory = database.storage.data_fs.parent if database.storage else None
        name = sha256(f"{database.site}\0{database.name}".encode()).hexdigest()[:16]
        return LockPlace(directory, self.store.directory / "locks" / f"{name}.lock")


def _known(names: list[str]) -> str:
    return f"known: {', '.join(names)}" if names else "none is known"
