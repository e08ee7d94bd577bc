"""The agent in a buildout, where each egg has a Products package of its own and style."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import agent_of, sockets_of
from tests.support.zopes.agent_installed import DISTRIBUTION, SOURCE
from tests.support.zopes.buildouts import Buildout

MakeBuildout = Callable[..., Buildout]
SETUP = """\
from setuptools import setup
setup(
    name="Products.Declared",
    version="1",
    packages=["Products", "Products.Declared"],
    namespace_packages=["Products"],
)
"""
PRODUCT = """\
import logging
def initialize(context):
    logging.getLogger("Declared").warning("is initialized")
"""


def make_product(directory: Path) -> Path:
    """An egg in the style of pkg_resources, with a product that logs when Zope calls it."""
    package = directory / "Products/Declared"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PRODUCT)
    declare = "__import__('pkg_resources').declare_namespace(__name__)\n"
    (package.parent / "__init__.py").write_text(declare)
    (directory / "setup.py").write_text(SETUP)
    return directory


@pytest.mark.parametrize("agent_comes", ["first", "last"])
def test_it_is_active_beside_products_of_the_other_style(
    make_buildout: MakeBuildout, tmp_path: Path, agent_comes: str
) -> None:
    source = tmp_path / "agent"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    ours = {DISTRIBUTION: source}
    other = {"Products.Declared": make_product(tmp_path / "declared")}
    eggs = ours | other if agent_comes == "first" else other | ours
    buildout = make_buildout(develop=eggs, zeo=True)
    buildout.start()
    agent = agent_of(buildout.home)
    status = agent.status()
    assert status["errors"] == {}
    assert status["agent"]["client_home"] == str(buildout.home / "var/instance")
    assert status["instance"]["versions"]["Zope"] == "5.14.2"
    before = status["requests"]["responses"].get("404", 0)
    assert buildout.site.get("/nope").status_code == 404
    eventually(lambda: agent.status()["requests"]["responses"].get("404", 0) == before + 1)
    log = (buildout.home / "var/log/instance.log").read_text()
    assert "[Declared:" in log
    # A script of the instance has an agent of its own while it runs, and this one goes on.
    buildout.call("instance", "run", str(script(tmp_path)))
    assert (tmp_path / "found").read_text() == "2"
    assert sockets_of(buildout.home) == [agent.path]
    buildout.stop()


def script(directory: Path) -> Path:
    path = directory / "script.py"
    path.write_text(
        "import glob\n"
        "from App.config import getConfiguration\n"
        "found = glob.glob(getConfiguration().clienthome + '/zope-exporter-*.sock')\n"
        f"open('{directory}/found', 'w').write(str(len(found)))\n"
    )
    return path
