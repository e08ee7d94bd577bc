"""The reasons why a Zope has no agent, seen from outside."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.children import WAIT, as_known, child, lines_until_ready
from zope_exporter.clients.agent.diagnosis import why_absent
from zope_exporter.discovery.inventory import Process, Service


@pytest.fixture
def environment() -> Iterator[Path]:
    """A virtual environment as far as it matters: where its Python is called from."""
    with public_directory() as home:
        (home / "bin").mkdir()
        (home / "bin/python3").symlink_to(sys.executable)
        yield home


@pytest.fixture
def process(environment: Path) -> Iterator[Process]:
    with child(WAIT, program=str(environment / "bin/python3")) as running:
        lines_until_ready(running)
        yield as_known(running.pid)


def agent_of(environment: Path) -> Path:
    module = environment / "lib/python3.11/site-packages/Products/ZopeExporterAgent"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    return module


def zope(process: Process | None, home: Path | None) -> Service:
    return Service("zope", "client1", None, agent_home=home, process=process)


def test_not_installed(environment: Path, process: Process) -> None:
    absence = why_absent(zope(process, environment))
    command = f"zope-exporter agent install --python {environment}/bin/python3"
    assert absence.reason == f"not installed, as far as can be seen ({command})"
    assert not absence.is_installed


def test_not_installed_in_a_buildout_which_would_not_keep_it(
    environment: Path, process: Process
) -> None:
    (environment / "bin/buildout").touch()
    assert "to the eggs of the buildout" in why_absent(zope(process, environment)).reason


def test_installed_after_the_start_of_zope(environment: Path, process: Process) -> None:
    agent_of(environment)
    absence = why_absent(zope(process, environment))
    assert absence.reason == "installed, but not active yet (restart Zope)"
    assert absence.is_installed


@pytest.fixture
def settled(environment: Path, process: Process) -> Process:
    agent_of(environment)
    return Process(process.pid, process.start_time + 3600)


def test_installed_but_not_to_be_seen(environment: Path, settled: Process) -> None:
    reason = why_absent(zope(settled, environment)).reason
    assert reason == f"installed, but there is no socket in {environment} (see Zope's event log)"


def test_a_client_home_that_may_not_be_looked_into(environment: Path, settled: Process) -> None:
    home = environment / "var"
    home.mkdir(mode=0o700)
    with unprivileged():
        reason = why_absent(zope(settled, home)).reason
    assert reason == f"{home} may not be inspected (run zope-exporter as the user of Zope)"


def test_a_client_home_that_is_not_known_or_not_there(environment: Path, settled: Process) -> None:
    assert why_absent(zope(settled, None)).reason.startswith("its client home is not known")
    missing = environment / "var"
    assert why_absent(zope(settled, missing)).reason == f"{missing}: No such file or directory"


def test_a_process_that_is_gone_or_not_known() -> None:
    gone = why_absent(zope(Process(2**22 + 1, 0.0), Path("/")))
    assert "--python PYTHON" in gone.reason
    assert why_absent(zope(None, Path("/"))).reason == "its process is not known"
