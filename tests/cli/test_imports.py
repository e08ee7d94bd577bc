"""What each command imports: half of a short command was once the import of what it never used."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.programs.exporter import environment
from tests.support.programs.processes import eventually
from zope_exporter.cli.agent import agent
from zope_exporter.cli.main import main

DEADLINE = 60.0
ENDED = """
import atexit, runpy, sys
def write(path=sys.argv.pop(1)):
    with open(path, "w") as file:
        file.write("\\n".join(sys.modules))
atexit.register(write)
runpy.run_module("zope_exporter", run_name="__main__", alter_sys=True)
"""

SERVING = frozenset({"jinja2", "prometheus_client", "starlette", "uvicorn"})
DATABASES = frozenset({"BTrees", "ZEO", "ZODB", "numpy", "persistent", "transaction"})
CLIENTS = frozenset({"anyio", "asyncio", "cryptography", "httpx"})
READING = frozenset({"ZConfig", "psutil"})
CONFIGURATION = frozenset({"pydantic", "re2", "sqlite3", "yaml"})
MERELY_ACTING = SERVING | DATABASES | CLIENTS
NO_WORK = MERELY_ACTING | READING | CONFIGURATION


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(
        "discover: false\n"
        "sites:\n"
        "  - name: intranet\n"
        "    ping: [{name: front, url: 'https://user:secret@www.example.org:8443/ok?a=b'}]\n"
        "    logs: {patterns: {slow: 'took [0-9]{4} ms'}}\n"
    )
    return path


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    path = tmp_path / "refused.yml"
    path.write_text("sights: []\n")
    return path


def child(directory: Path, *arguments: str | Path) -> "subprocess.Popen[bytes]":
    """Begin a command that writes its messages to `log`, at its end its modules to `modules`."""
    with (directory / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", ENDED, directory / "modules", *arguments],
            env=environment(directory),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def imported(directory: Path, *arguments: str | Path, code: int = 0) -> set[str]:
    """Run a command to its end; return the modules that it had imported then."""
    process = child(directory, *arguments)
    assert process.wait(DEADLINE) == code, (directory / "log").read_text()
    return modules(directory)


def modules(directory: Path) -> set[str]:
    found = set((directory / "modules").read_text().split("\n"))
    assert "zope_exporter.cli.main" in found
    return found


def answers(log: str) -> bool:
    listens = re.search(r"listens on (http://[^\s\"]+)", log)
    if listens is None:
        return False
    return httpx.get(f"{listens[1]}/-/healthy", trust_env=False).is_success


def heavy(found: set[str], unwanted: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in found} & unwanted


@pytest.mark.parametrize(
    "command", ["", *main.commands, *(f"agent {name}" for name in agent.commands)]
)
def test_help_imports_what_it_takes_to_print_it(tmp_path: Path, command: str) -> None:
    found = imported(tmp_path, *command.split(), "--help")
    assert heavy(found, NO_WORK) == set()
    assert len(found) < 170


def test_version(tmp_path: Path) -> None:
    found = imported(tmp_path, "--version")
    assert heavy(found, NO_WORK) == set()
    assert len(found) < 170


def test_jobs(tmp_path: Path, config: Path) -> None:
    found = imported(tmp_path, "jobs", "--config.file", config)
    assert heavy(found, MERELY_ACTING | READING) == set()
    assert len(found) < 360


def test_growth_of_a_file_takes_what_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    path.write_bytes(b"FS30")
    found = imported(tmp_path, "growth", "--data-fs", path)
    assert heavy(found, NO_WORK) == set()
    assert len(found) < 200


def test_forget(tmp_path: Path, config: Path) -> None:
    found = imported(tmp_path, "forget", "nobody", "--config.file", config, code=1)
    assert heavy(found, MERELY_ACTING | {"psutil"}) == set()
    assert len(found) < 360


@pytest.mark.parametrize(
    "command", ["agent status", "backup", "check", "growth", "jobs", "pack", "slow", "verify"]
)
def test_a_refused_configuration_costs_no_more_than_reading_it(
    tmp_path: Path, refused: Path, command: str
) -> None:
    found = imported(tmp_path, *command.split(), "--config.file", refused, code=2)
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 460


@pytest.mark.parametrize("command", ["backup", "pack", "verify"])
def test_an_action_that_finds_nothing_to_do(tmp_path: Path, config: Path, command: str) -> None:
    found = imported(tmp_path, command, "--config.file", config, code=3)
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 460


def test_restore_searches_without_what_serves(tmp_path: Path, config: Path) -> None:
    missing = tmp_path / "missing.fs"
    arguments = "restore", missing, tmp_path / "Data.fs", "--config.file", config
    found = imported(tmp_path, *arguments, code=1)
    assert heavy(found, SERVING | CLIENTS | {"ZEO"}) == set()


def test_agent_status(tmp_path: Path, config: Path) -> None:
    found = imported(tmp_path, "agent", "status", "--config.file", config)
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 460


def test_check_probes_with_what_serves_left_out(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("discover: false\n")
    found = imported(tmp_path, "check", "--config.file", path, code=3)
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 600


def test_metrics(tmp_path: Path) -> None:
    found = imported(tmp_path, "metrics")
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 530


@pytest.mark.parametrize("command", ["assets", "rules"])
def test_dashboards_take_the_declared_metrics_and_no_more(tmp_path: Path, command: str) -> None:
    found = imported(tmp_path, command, tmp_path / "written")
    assert heavy(found, MERELY_ACTING) == set()
    assert len(found) < 570


@pytest.fixture
def served(tmp_path: Path) -> Iterator[set[str]]:
    """The modules of an exporter that has listened, and was stopped by SIGTERM."""
    path = tmp_path / "config.yml"
    path.write_text("discover: false\n")
    log = tmp_path / "log"
    process = child(tmp_path, "serve", "--web.listen-address", "127.0.0.1:0", "--config.file", path)
    try:
        eventually(lambda: answers(log.read_text()))
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(DEADLINE) == 0, log.read_text()
        yield modules(tmp_path)
    finally:
        process.kill()
        process.wait()


def test_serve_has_no_use_for_arrays_databases_or_pages_before_it_is_asked(
    served: set[str],
) -> None:
    assert heavy(served, DATABASES | {"jinja2", "cryptography"}) == set()
