"""Plone sites in databases that are no Data.fs of this host: asked for, and no object is loaded."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases.plone_sites import plone_writer_of
from tests.support.databases.postgres import Postgres
from tests.support.programs.exporter import Page, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.agent_answers import agent_of
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.instances import ZopeInstance

StartZope = Callable[..., ZopeInstance]
NAME = "gazette"  # other Zopes of this host are in directories called `instance`
CREATE = (
    "app.Plone = site({'Products.CMFPlone:plone': ('6214',)}, tree=200); app.sites = Folder();"
    " app.sites.two = site({'shop:default': '7'})"
)
LISTED = "Plone sites: /Plone (6214), /sites/two"
SITES = {("/Plone", "6214"), ("/sites/two", "")}


@pytest.fixture(scope="session")
def relstorage(add_agent: Callable[[Environment], Environment]) -> Environment:
    return add_agent(require(environment, "relstorage"))


@pytest.fixture
def relstorage_zope(
    relstorage: Environment, start_zope: StartZope
) -> Callable[[str, str], ZopeInstance]:
    """Start a Zope on a RelStorage in which there are two Plone sites."""

    def start(adapter: str, history: str) -> ZopeInstance:
        options = f"  keep-history {history}\n  {adapter}\n"
        storage = f"%import relstorage\n<relstorage>\n{options}</relstorage>\n"
        zope = start_zope(relstorage, NAME, storage=storage)
        with plone_writer_of(storage, relstorage.script("python")) as writer:
            writer.run(CREATE)
        return zope

    return start


def configuration(zope: ZopeInstance, tmp_path: Path) -> tuple[str | Path, ...]:
    config = tmp_path / "zope-exporter.yml"
    ini = f", wsgi_ini: {zope.zope_ini}" if zope.zope_ini.exists() else ""
    instance = f"{{zope_conf: {zope.zope_conf}{ini}}}"
    # A request would load the root, and with it the names of the classes there.
    silence = "ping: [{name: nothing, url: 'http://127.0.0.1:1/'}]"
    config.write_text(
        f"discover: false\nsites: [{{name: {NAME}, instances: [{instance}], {silence}}}]\n"
    )
    return "--config.file", config


def checked(tmp_path: Path, flags: tuple[str | Path, ...]) -> str:
    return zope_exporter("check", *flags, state_dir=tmp_path / "state").stdout


def broken_classes(zope: ZopeInstance) -> int:
    """Not 0 if it has loaded a site, or what refers to one: the classes are not there."""
    found: int = agent_of(zope.home).status()["instance"]["broken_classes"]
    return found


def test_in_a_relstorage_with_history(
    relstorage_zope: Callable[[str, str], ZopeInstance], tmp_path: Path
) -> None:
    (tmp_path / "sqlite").mkdir()
    zope = relstorage_zope(f"<sqlite3>\n    data-dir {tmp_path}/sqlite\n  </sqlite3>", "true")
    flags = configuration(zope, tmp_path)
    assert LISTED in checked(tmp_path, flags)
    assert broken_classes(zope) == 0
    with serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter:

        def of_sites(page: Page, metric: str) -> list[dict[str, str]]:
            return [dict(labels) for labels in page.get(metric, {}) if ("site", NAME) in labels]

        def with_sites() -> Page | None:
            page = exporter.page()
            return page if of_sites(page, "zope_plone_site_info") else None

        page = eventually(with_sites)
    assert page is not None
    infos = of_sites(page, "zope_plone_site_info")
    assert {(of["plone_site"], of["version"]) for of in infos} == SITES
    assert list(page["zope_plone_sites"].values()) == [2]


def test_in_a_relstorage_without_history(
    relstorage_zope: Callable[[str, str], ZopeInstance], tmp_path: Path, ending: ExitStack
) -> None:
    postgres = ending.enter_context(require(Postgres, tmp_path / "postgres"))
    zope = relstorage_zope(f"<postgresql>\n    dsn {postgres.dsn}\n  </postgresql>", "false")
    assert LISTED in checked(tmp_path, configuration(zope, tmp_path))
    assert broken_classes(zope) == 0
    statements = postgres.log.read_text()
    assert "SELECT zoid, state FROM object_state" in statements


@pytest.mark.parametrize("name", ["zope63", "zope213"])
def test_on_a_zeo_server(name: str, tmp_path: Path, ending: ExitStack) -> None:
    zope_code = require(environment, name)
    zeo = ZeoServer(zope_code, tmp_path / "zeo")
    storage = f"<filestorage>\n  path {zeo.data_fs()}\n</filestorage>"
    with plone_writer_of(storage, zope_code.script("python")) as writer:
        writer.run(CREATE)
    ending.enter_context(zeo)
    zope = ZopeInstance(zope_code, tmp_path / NAME, storage=zeo.client())
    told = checked(tmp_path, configuration(zope, tmp_path))
    assert LISTED in told
    assert "Data.fs" not in told
