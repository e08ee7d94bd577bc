"""Real Zopes to test with; each environment is made when a test first wants it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.require import require
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.agent_installed import with_agent
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.pages import add_pages


@pytest.fixture(scope="session")
def zope63() -> Environment:
    return require(environment, "zope63")


@pytest.fixture(scope="session")
def zope5() -> Environment:
    return require(environment, "zope5")


@pytest.fixture(scope="session")
def zope48() -> Environment:
    return require(environment, "zope48")


@pytest.fixture(scope="session")
def zope213() -> Environment:
    return require(environment, "zope213")


@pytest.fixture(scope="session")
def buildout() -> Environment:
    return require(environment, "buildout")


@pytest.fixture(params=["zope63", "zope5", "zope48", "zope213"])
def any_zope(request: pytest.FixtureRequest) -> Environment:
    """Each generation in turn."""
    found: Environment = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """What is entered here ends with the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start_zope(tmp_path: Path, ending: ExitStack) -> Callable[..., ZopeInstance]:
    """Start an instance of an environment, its directory below `tmp_path` called `name`."""

    def start(zope: Environment, name: str = "instance", **options: Any) -> ZopeInstance:
        return ending.enter_context(ZopeInstance(zope, tmp_path / name, **options))

    return start


@pytest.fixture
def start_zeo(tmp_path: Path, ending: ExitStack) -> Callable[..., ZeoServer]:
    """Start a ZEO server of an environment, its directory below `tmp_path` called `name`."""

    def start(zope: Environment, name: str = "zeo", **options: Any) -> ZeoServer:
        return ending.enter_context(ZeoServer(zope, tmp_path / name, **options))

    return start


@pytest.fixture
def make_buildout(
    buildout: Environment, tmp_path_factory: pytest.TempPathFactory, ending: ExitStack
) -> Callable[..., Buildout]:
    """Make a buildout of which nothing runs yet, where zdaemon's sockets have a short path."""

    def make(
        name: str = "buildout", environment: Environment = buildout, **options: Any
    ) -> Buildout:
        home = tmp_path_factory.mktemp("b") / name
        return ending.enter_context(Buildout(environment, home, **options))

    return make


@pytest.fixture(scope="session")
def add_agent(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Environment], Environment]:
    """Make a copy of an environment with the agent and pages to test it with, once for each."""
    made: dict[str, Environment] = {}

    def add(original: Environment) -> Environment:
        if original.name not in made:
            copy = with_agent(original, tmp_path_factory.mktemp("agent") / original.name)
            add_pages(copy)
            made[original.name] = copy
        return made[original.name]

    return add


@pytest.fixture
def any_agent(
    any_zope: Environment, add_agent: Callable[[Environment], Environment]
) -> Environment:
    """Each generation in turn, with the agent."""
    return add_agent(any_zope)


@pytest.fixture
def agent63(zope63: Environment, add_agent: Callable[[Environment], Environment]) -> Environment:
    return add_agent(zope63)
