"""All that can be done to the databases that are known at the moment."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256

from zope_exporter.config.actions import ACTIONS, BACKUP, PACK, VERIFY, ActionSettings
from zope_exporter.config.schema import Config
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.job import Paths, Task, Work
from zope_exporter.maintenance.jobs.lock import LockPath
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.plan import Plan

from .databases import BackupPlan, SiteDatabase, backup_plan, backup_plans, site_databases
from .external import ExternalBackup, backed_up_elsewhere, external_backups
from .run import rehearse_backup, run_backup, run_pack, run_verify


class ActionCatalog:
    """Finds what a task is about in the configuration and the inventory of the moment."""

    def __init__(
        self,
        config: Config,
        inventory: Callable[[], Inventory],
        store: JobStore,
        pack_days: int | None = None,
        level: Level | None = None,
    ) -> None:
        """`pack_days`, and the `level` to verify at, are in place of those configured."""
        self._config = config
        self._settings = config.actions or ActionSettings.model_construct()
        self._pack = self._settings.pack
        if pack_days is not None:
            self._pack = self._pack.model_copy(update={"days": pack_days})
        self._level = level
        self.inventory = inventory
        self.store = store

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything that may be named to the action.

        What others back up is among it, so that whoever asks for a backup is told who makes it.
        """
        others = [] if action == PACK else self.external()
        return [*self.possible(action), *((each.site, each.database) for each in others)]

    def possible(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""
        return [
            (database.site, database.name)
            for database in site_databases(self.inventory())
            if action == PACK or backup_plan(self._config, database) is not None
        ]

    def meant(self, action: str, site: str | None, database: str | None) -> Sequence[Task]:
        """Return the tasks that a person means who need not name what is clear.

        What is configured to be backed up is meant as a whole; a pack is of one database. Raises
        RefusedError: `unknown`, `unconfigured` or `ambiguous`.
        """
        found = [
            Task(*target, action)
            for target in self.possible(action)
            if site in (None, target[0]) and database in (None, target[1])
        ]
        if not found:
            raise self._nothing(action, site, database)
        if action == PACK and len(found) > 1:
            names = ", ".join(f"{task.site} --database {task.database}" for task in found)
            raise RefusedError("ambiguous", "there are several databases", f"name one: {names}")
        return found

    def configured(self) -> Iterator[Task]:
        """Yield the tasks that the configuration speaks of, whether they ever ran or not."""
        if self._config.actions is not None:
            for site, database in self.targets(PACK):
                yield Task(site, database, PACK)
        for plan in self.plans():
            yield Task(plan.site, plan.database, BACKUP)
            yield Task(plan.site, plan.database, VERIFY)

    def plans(self) -> list[BackupPlan]:
        """Return the plan of every database that is backed up here."""
        return list(backup_plans(self._config, self.inventory()))

    def external(self) -> list[ExternalBackup]:
        """Return the databases whose backups others make, and what tells of them."""
        return list(external_backups(self._config, self.inventory()))

    def elsewhere(self) -> list[tuple[str, str]]:
        """Return site and name of each database whose backups are not to be watched here."""
        return backed_up_elsewhere(self._config, self.inventory())

    def work(self, task: Task) -> Work:
        """Return what the task takes.

        Raises RefusedError: `unknown` or `unconfigured`; StateError without a state directory.
        """
        return self._work(task, self._database(task))

    def rehearse(self, task: Task, report: Report) -> None:
        """Check all that a pack or a backup asks for, and say what it would do, no more.

        Raises ActionError.
        """
        if task.action == PACK:
            pack = self.plan_pack(task, report)
            pack.check()
            for line in (*pack.lines(), "nothing was done"):
                report.say(line)
            return
        backups = backup_plan(self._config, self._database(task))
        if backups is None:
            raise self._nothing(task.action, task.site, task.database)
        rehearse_backup(backups, report)

    def plan_pack(self, task: Task, report: Report) -> Plan:
        """Return what is to be known before a pack; nothing is touched. Raises RefusedError."""
        # Here, as all commands know the actions, and few of them ask so much.
        from .plan import PackQuestion, plan_pack

        database = self._database(task)
        named = task.site, task.database
        external = [e for e in self.external() if (e.site, e.database) == named]
        question = PackQuestion(
            database,
            self._pack,
            backup_plan(self._config, database),
            external[0] if external else None,
        )
        return plan_pack(question, self.store, report)

    def _database(self, task: Task) -> SiteDatabase:
        for database in site_databases(self.inventory()):
            if (database.site, database.name) == (task.site, task.database):
                return database
        raise self._nothing(task.action, task.site, task.database)

    def _work(self, task: Task, database: SiteDatabase) -> Work:
        plan = backup_plan(self._config, database)
        if task.action == PACK:
            run = partial(run_pack, database, self._pack, plan, self.store.file)
            cooldown = self._pack.cooldown
        elif plan is None:
            raise self._nothing(task.action, task.site, task.database)
        elif task.action == BACKUP:
            run, cooldown = partial(run_backup, plan), self._settings.backup.cooldown
        elif task.action == VERIFY:
            run, cooldown = partial(run_verify, plan, self._level), self._settings.verify.cooldown
        else:
            known = f"known: {', '.join(ACTIONS)}"
            raise RefusedError("unknown", f"no action is called {task.action}", known)
        data_fs = database.storage.data_fs if database.storage else None
        paths = Paths(data_fs, plan.by_name if plan else None)
        return Work(task, run, self._lock(database), paths, cooldown)

    def _nothing(self, action: str, site: str | None, database: str | None) -> RefusedError:
        """Return why there is nothing to do for the action, under these names."""
        for external in () if action == PACK else self.external():
            if site in (None, external.site) and database in (None, external.database):
                return external.refusal(action)
        inventory = self.inventory()
        sites = [each.name for each in inventory.sites]
        if site is not None and site not in sites:
            return RefusedError("unknown", f"no site is called {site}", _known(sites))
        databases = [each for each in site_databases(inventory) if site in (None, each.site)]
        names = [each.name for each in databases]
        if database is not None and database not in names:
            return RefusedError("unknown", f"no database is called {database}", _known(names))
        if not names:
            return RefusedError("unknown", "no database was found", "see zope-exporter check")
        for each in databases:
            if each.storage is None and database in (None, each.name):
                return _elsewhere(each)
        remedy = "give the site a backup: section with its repository"
        return RefusedError("unconfigured", f"no {action} is configured for it", remedy)

    def _lock(self, database: SiteDatabase) -> LockPath:
        directory = database.storage.data_fs.parent if database.storage else None
        name = sha256(f"{database.site}\0{database.name}".encode()).hexdigest()[:16]
        return LockPath(directory, self.store.directory / "locks" / f"{name}.lock")


def _elsewhere(database: SiteDatabase) -> RefusedError:
    reason = f"{database.name} of {database.site} has no Data.fs on this host"
    if "relstorage" in database.kinds:
        reason = (
            f"{database.name} of {database.site} is a RelStorage, for the tools of its SQL server"
            " (pg_dump, mysqldump)"
        )
    remedy = "back it up where it is; `backup: external:` watches the age of its backups"
    return RefusedError("unconfigured", reason, remedy)


def _known(names: list[str]) -> str:
    return f"known: {', '.join(names)}" if names else "none is known"
