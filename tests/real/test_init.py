"""The first hour beside a real Zope: `init`, then `check` with what it has written."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.programs.backend import write_configuration
from tests.support.programs.exporter import zope_exporter
from tests.support.programs.server import Server, free_port
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import Site
from tests.support.zopes.supervised import supervised
from zope_exporter.config.load import load_config

SITE = "first-hour"


class Layout(NamedTuple):
    """Running, with what names it."""

    zope_conf: Path
    zope: str = SITE


@pytest.fixture
def stock(zope63: Environment, start_zope: Callable[..., ZopeInstance]) -> Layout:
    return Layout(start_zope(zope63, SITE).zope_conf)


@pytest.fixture
def supervisord(zope63: Environment, tmp_path: Path, ending: ExitStack) -> Layout:
    """All that is logged goes to a file of supervisord."""
    return Layout(ending.enter_context(supervised(zope63, tmp_path / SITE)).zope_conf)


@pytest.fixture
def buildout_with_zeo(make_buildout: Callable[..., Buildout]) -> Layout:
    buildout = make_buildout(SITE, zeo=True)
    buildout.start()
    return Layout(buildout.home / "parts/instance/etc/zope.conf", "instance")


@pytest.fixture
def backend(zope63: Environment, tmp_path: Path, ending: ExitStack) -> Layout:
    """As in plone-backend: by relative paths, zope.conf chosen and filled by the environment."""
    home, port = tmp_path / SITE, free_port()
    write_configuration(home / "etc", str(home), f"127.0.0.1:{port}")
    for directory in ("filestorage", "blobstorage", "client"):
        (home / "var" / directory).mkdir(parents=True)
    start = f"cd {home} && exec {zope63.script('runwsgi')} -v etc/zope.ini config_file=zope.conf"
    client = {"CLIENT_HOME": str(home / "var/client")}
    server = Server(["/bin/sh", "-c", start], tmp_path / "backend.log", client)
    ending.callback(server.end)
    server.wait_until(Site(port).answers)
    return Layout(home / "etc/zope.conf")


@pytest.mark.parametrize("layout", ["stock", "supervisord", "buildout_with_zeo", "backend"])
def test_check_with_its_configuration_says_what_it_says_without_one(
    layout: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    running: Layout = request.getfixturevalue(layout)
    config = tmp_path / "first/config.yml"

    def told(*flags: str | Path) -> list[str]:
        run = zope_exporter("check", *flags, state_dir=tmp_path / "state")
        assert run.stderr == ""
        # The lines about this site; other tests have Zopes of theirs beside it.
        return [" ".join(line.split()) for line in run.stdout.splitlines() if f" {SITE} " in line]

    run = zope_exporter("init", tmp_path / "first", state_dir=tmp_path / "state")
    assert f"zope {running.zope} of site {SITE}" in run.stdout
    (site,) = [each for each in load_config(config).sites if each.name == SITE]
    assert [(each.name, each.zope_conf) for each in site.instances] == [
        (running.zope, running.zope_conf)
    ]
    assert len(site.zeo) == layout.endswith("zeo")
    with_it = told("--config.file", config)
    assert any("pid " in line for line in with_it)
    assert not [line for line in with_it if line.startswith(("CRITICAL", "UNKNOWN"))]
    assert [line.split()[:3] for line in with_it] == [line.split()[:3] for line in told()]
