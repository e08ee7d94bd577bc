from pathlib import Path

import pytest

from zope_exporter.config.actions import ActionsConfig, BackupConfig
from zope_exporter.config.schema import Config, SiteConfig
from zope_exporter.discovery.inventory import Database, Inventory, Service, Site, Storage
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.backup.place import repository_of
from zope_exporter.maintenance.jobs.job import Task
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.jobs.store import JobStore

VAR = Path("/srv/zope/var")
BACKUPS = Path("/backup/intranet")
ZOPE = Service(
    "zope",
    "client1",
    None,
    databases=(
        Database("main", "zeo", zeo_servers=("127.0.0.1:8100",)),
        Database("catalog", "filestorage", data_fs=VAR / "catalog.fs"),
        Database("users", "relstorage"),
        Database("temporary", "temporary"),
    ),
)
ZEO = Service(
    "zeo", "zeo", None, databases=(Database("1", "filestorage", data_fs=VAR / "Data.fs"),)
)
STORAGES = Storage("main", VAR / "Data.fs"), Storage("catalog", VAR / "catalog.fs")
INVENTORY = Inventory((Site("intranet", (ZOPE, ZEO), STORAGES), Site("shop")))


def catalog(config: Config, inventory: Inventory = INVENTORY) -> ActionCatalog:
    return ActionCatalog(config, lambda: inventory, JobStore(None))


def site(**backup: object) -> Config:
    settings = BackupConfig.model_validate({"repository": BACKUPS, **backup})
    return Config(sites=(SiteConfig(name="intranet", backup=settings),))


def test_what_can_be_packed_are_all_that_last() -> None:
    assert catalog(Config()).targets("pack") == [
        ("intranet", "main"),
        ("intranet", "catalog"),
        ("intranet", "users"),
    ]
    assert catalog(Config()).targets("backup") == []


def test_what_is_backed_up_are_the_files_of_this_host_or_those_named() -> None:
    assert catalog(site()).targets("backup") == [("intranet", "main"), ("intranet", "catalog")]
    assert catalog(site(databases=["catalog"])).targets("verify") == [("intranet", "catalog")]


def test_metrics_begin_with_what_is_configured() -> None:
    config = Config(actions=ActionsConfig(token_file=Path("/etc/token")), sites=site().sites)
    assert list(catalog(Config()).configured()) == []
    assert {task.action for task in catalog(config).configured()} == {"pack", "backup", "verify"}
    assert {task.action for task in catalog(site()).configured()} == {"backup", "verify"}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Task("internet", "main", "pack"), "no site is called internet .known: intranet, shop"),
        (Task("intranet", "mail", "pack"), "no database is called mail .known: main, catalog"),
        (Task("intranet", "main", "repair"), "no action is called repair .known: pack, backup"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(task: Task, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        catalog(site()).work(task)
    assert refused.value.code == "unknown"


def test_backups_are_of_all_that_is_configured_and_a_pack_of_one() -> None:
    assert [task.database for task in catalog(site()).meant("backup", None, None)] == [
        "main",
        "catalog",
    ]
    (task,) = catalog(site()).meant("pack", "intranet", "users")
    assert task == Task("intranet", "users", "pack")
    for names, code, words in [
        (("pack", None, None), "ambiguous", "name one: intranet --database main, intranet --data"),
        (("backup", "shop", None), "unknown", "no database was found"),
        (("backup", None, "users"), "unconfigured", "users of intranet is a RelStorage"),
        (("verify", "home", None), "unknown", "no site is called home"),
    ]:
        with pytest.raises(RefusedError, match=words) as refused:
            catalog(site()).meant(*names)
        assert refused.value.code == code


def others(**backup: object) -> Config:
    settings = BackupConfig.model_validate({"external": {"file": "/backup/done"}, **backup})
    return Config(sites=(SiteConfig(name="intranet", backup=settings),))


def test_backups_of_others_are_watched_and_none_is_made_here() -> None:
    of_others = catalog(others(databases=["users"], max_age="2d"))
    assert [each.database for each in catalog(others()).external()] == ["main", "catalog", "users"]
    [external] = of_others.external()
    assert (external.path, external.max_age) == (Path("/backup/done"), 2 * 86400)
    assert of_others.plans() == []
    assert of_others.possible("backup") == []
    assert list(of_others.configured()) == []
    for action, remedy in ("backup", "make one"), ("verify", "prove them"):
        assert of_others.targets(action) == [("intranet", "users")]  # so that it can be asked for
        with pytest.raises(RefusedError, match="only watches /backup/done") as refused:
            of_others.work(Task("intranet", "users", action))
        assert (refused.value.code, remedy in refused.value.remedy) == ("external", True)
        with pytest.raises(RefusedError, match="made by another program"):
            of_others.meant(action, "intranet", None)


def test_they_are_watched_even_where_no_zope_of_the_site_is_left() -> None:
    lost = catalog(others(external={"file": "/backup/done", "max_age": "1h"}), Inventory())
    assert [(each.site, each.database) for each in lost.external()] == [("intranet", "main")]
    assert lost.external()[0].max_age == 3600
    with pytest.raises(RefusedError, match="made by another program"):
        lost.meant("backup", None, None)


@pytest.mark.parametrize(
    ("database", "path"),
    [
        ("main", ""),
        ("catalog", "databases/catalog"),
        ("..", "databases/%2E%2E"),
        ("a/b", "databases/a%2Fb"),
    ],
)
def test_each_database_has_a_repository_of_its_own(database: str, path: str) -> None:
    assert repository_of(BACKUPS, database) == BACKUPS / path
