"""The agent comes and goes with its distribution, and nothing about it keeps Zope from starting."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs.commands import run
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import AgentSocket, agent_of, sockets_of
from tests.support.zopes.agent_installed import install_agent, linked_copy, uninstall_agent
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

StartZope = Callable[..., ZopeInstance]

VERSIONS = {
    "zope63": {"Zope": "6.3", "ZODB": "6.4", "ZEO": "6.2"},
    "zope5": {"Zope": "5.14.2", "ZODB": "6.2", "ZEO": "6.2"},
    "zope48": {"Zope": "4.8.11", "ZODB": "5.8.0", "ZEO": "5.3.0"},
    "zope213": {"Zope": "2.13.30", "ZODB": "3.10.7", "ZEO": "3.10.7"},
}


def files_of(environment: Environment) -> set[Path]:
    return {
        path.relative_to(environment.home)
        for path in environment.home.rglob("*")
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def products_file(environment: Environment) -> bytes | None:
    [packages] = environment.home.glob("lib/python*/site-packages")
    path = packages / "Products/__init__.py"
    return path.read_bytes() if path.exists() else None


def test_installed_it_is_active_uninstalled_it_is_gone(
    any_zope: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    copy = linked_copy(any_zope, tmp_path / "environment")
    files, products = files_of(copy), products_file(copy)
    install_agent(copy)
    zope = start_zope(copy)
    status = agent_of(zope.home).status()
    assert status["errors"] == {}
    assert VERSIONS[copy.name].items() <= status["instance"]["versions"].items()
    assert status["agent"]["pid"] == zope.pid
    assert status["agent"]["client_home"] == str(zope.home / "var")
    assert status["agent"]["instance_home"] == str(zope.home)
    assert status["instance"]["debug_mode"] is False
    assert status["instance"]["broken_classes"] == 0
    assert status["instance"]["broken_names"] == []
    assert status["instance"]["distributions"]["Products.ExternalMethod"]
    assert "upgrade_steps" not in status["instance"]
    assert len(status["instance"]["config_hash"]) == 64
    zope.stop()
    assert sockets_of(zope.home) == []
    uninstall_agent(copy)
    assert files_of(copy) == files
    assert products_file(copy) == products
    zope.start()
    assert sockets_of(zope.home) == []


def test_the_hash_tells_the_configuration_that_was_started_with(
    agent63: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(agent63)
    first = agent_of(zope.home).status()["instance"]["config_hash"]
    with zope.zope_ini.open("a") as ini:
        ini.write("\n# changed\n")
    assert agent_of(zope.home).status()["instance"]["config_hash"] == first
    zope.stop()
    zope.start()
    assert agent_of(zope.home).status()["instance"]["config_hash"] != first


def test_settings_are_heeded_and_wrong_ones_named(
    any_agent: Environment, start_zope: StartZope
) -> None:
    group = os.getgid()
    settings = (
        "<product-config zope-exporter>\n  socket-mode 0660\n"
        f"  socket-group {group}\n  long-request-threshold soon\n</product-config>\n"
    )
    zope = start_zope(any_agent, settings=settings)
    agent = agent_of(zope.home)
    assert stat.S_IMODE(agent.path.stat().st_mode) == 0o660
    assert agent.path.stat().st_gid == group
    status = agent.status()
    [problem] = status["errors"].values()
    assert problem.startswith("long-request-threshold: ")
    assert status["requests"]["long"]["threshold_seconds"] == 5.0


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("activation.py", "this is no Python\n"),
        ("agent.py", "class Agent(object):\n    pass\n"),
        ("server.py", ""),
    ],
)
def test_however_broken_it_is_zope_starts(
    agent63: Environment, start_zope: StartZope, tmp_path: Path, file: str, text: str
) -> None:
    broken = linked_copy(agent63, tmp_path / "environment")
    [package] = broken.home.glob("lib/python*/site-packages/Products/ZopeExporterAgent")
    (package / file).unlink()  # before it is written: it is the original's too
    (package / file).write_text(text)
    zope = start_zope(broken)
    assert zope.site.get("/").status_code == 200
    assert sockets_of(zope.home) == []
    log = (zope.home / "var/log/event.log").read_text()
    assert log.count("The agent is not active, Zope goes on without it.") == 1


def test_a_client_home_that_takes_no_socket_costs_only_the_agent(
    any_agent: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    settings = (
        "<product-config zope-exporter>\n"
        f"  socket-directory {tmp_path}/nothing\n</product-config>\n"
    )
    zope = start_zope(any_agent, settings=settings)
    assert zope.site.get("/").status_code == 200
    assert sockets_of(tmp_path) == []


def test_a_script_of_the_same_instance_leaves_the_running_zope_s_socket_alone(
    agent63: Environment, start_zope: StartZope, start_zeo: Callable[..., object], tmp_path: Path
) -> None:
    zeo = start_zeo(agent63)
    zope = start_zope(agent63, storage=zeo.client())  # type: ignore[attr-defined] # any option
    agent = agent_of(zope.home)
    script = tmp_path / "script.py"
    script.write_text(
        "import glob, os\n"
        f"found = glob.glob('{zope.home}/var/zope-exporter-*.sock')\n"
        f"open('{tmp_path}/seen', 'w').write('%d %d' % (len(found), os.getpid()))\n"
    )
    run([agent63.script("zconsole"), "run", zope.zope_conf, script], tmp_path / "zconsole.log")
    number, pid = (tmp_path / "seen").read_text().split()
    assert (number, pid != str(zope.pid)) == ("2", True)
    assert sockets_of(zope.home) == [agent.path]
    assert agent.status()["agent"]["pid"] == zope.pid


def test_what_a_killed_zope_left_is_removed_at_the_next_start(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent)
    [left] = sockets_of(zope.home)
    zope.stop(signal.SIGKILL)
    assert left.exists()
    zope.start()
    [now] = sockets_of(zope.home)
    assert now != left
    assert AgentSocket(now).status()["agent"]["pid"] == zope.pid


def test_zcml_loads_it_once_more_to_no_effect(agent63: Environment, start_zope: StartZope) -> None:
    zope = start_zope(agent63)
    zope.stop()
    includes = zope.home / "etc/package-includes"
    includes.mkdir()
    (includes / "agent-configure.zcml").write_text(
        '<include package="Products.ZopeExporterAgent" file="agent.zcml" />'
    )
    zope.start()
    agent = agent_of(zope.home)
    assert agent.status()["errors"] == {}
    log = (zope.home / "var/log/event.log").read_text()
    assert log.count("Telling zope-exporter at ") == 2  # at each start


def test_a_filter_in_the_pipeline_counts_nothing_twice(
    agent63: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(agent63)
    zope.stop()
    ini = zope.zope_ini.read_text()
    changed = ini.replace(
        "    egg:Zope#httpexceptions\n", "    agent\n    egg:Zope#httpexceptions\n"
    )
    assert changed != ini
    changed += "\n[filter:agent]\nuse = egg:zope-exporter-agent#main\n"
    zope.zope_ini.write_text(changed)
    zope.start()
    agent = agent_of(zope.home)
    before = agent.status()["requests"]["responses"].get("404", 0)
    assert [zope.site.get("/nope").status_code for _ in range(3)] == [404] * 3
    eventually(lambda: agent.status()["requests"]["in_progress"] == 0)
    assert agent.status()["requests"]["responses"]["404"] - before == 3
