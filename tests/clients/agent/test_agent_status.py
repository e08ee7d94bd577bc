"""What `zope-exporter agent status` says of each Zope."""

import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from tests.support.zopes.fake_agent import STATUS, answering, fake_agent, http
from zope_exporter.cli.main import main
from zope_exporter.clients.agent.diagnosis import AgentStatus, agent_status
from zope_exporter.clients.agent.package import shipped
from zope_exporter.discovery.inventory import Process, Service

OURS = shipped().version
WELL = {**STATUS, "agent": {"version": OURS}}
PATIENCE = 20.0


def zope(home: Path) -> Service:
    me = Process(os.getpid(), psutil.Process().create_time())
    return Service("zope", "client1", None, agent_home=home, process=me)


def stands(home: Path, status: dict[str, Any]) -> AgentStatus:
    path = home / f"zope-exporter-{os.getpid()}.sock"
    with fake_agent(path, answering(http(status))):
        return agent_status(zope(home), PATIENCE)


def test_an_agent_that_answers(tmp_path: Path) -> None:
    path = tmp_path / f"zope-exporter-{os.getpid()}.sock"
    assert stands(tmp_path, WELL) == AgentStatus(f"agent {OURS} answers at {path}", True)


@pytest.mark.parametrize("version", ["0.0.1", None, 7])
def test_an_agent_of_another_version(tmp_path: Path, version: object) -> None:
    found = stands(tmp_path, {**STATUS, "agent": {"version": version}})
    assert not found.is_well
    assert f"this exporter comes with {OURS} (zope-exporter agent install" in found.text


def test_an_agent_that_cannot_tell_everything(tmp_path: Path) -> None:
    found = stands(tmp_path, {**WELL, "errors": {"workers": "KeyError: 'x'"}})
    assert found == AgentStatus(f"agent {OURS} lacks workers: KeyError: 'x'")


def test_an_agent_out_of_order(tmp_path: Path) -> None:
    found = stands(tmp_path, {"protocol": 2})
    assert not found.is_well
    assert found.text.startswith("agent out of order: the agent speaks protocol 2")


def test_no_agent_and_no_zope(tmp_path: Path) -> None:
    assert agent_status(zope(tmp_path), PATIENCE).text.startswith("no agent: not installed")
    stopped = Service("zope", "client1", None, agent_home=tmp_path)
    assert agent_status(stopped, PATIENCE) == AgentStatus("Zope is not running")


@pytest.mark.parametrize(("status", "exit_code"), [(WELL, 0), (STATUS | {"protocol": 9}, 1)])
def test_the_command_names_each_zope_and_its_exit_code_tells(
    tmp_path: Path, status: dict[str, Any], exit_code: int
) -> None:
    config = tmp_path / "zope-exporter.yml"
    config.write_text(
        "discover: false\nstate_dir: state\nsites: [{name: intranet, instances: [{name: client1,"
        f" data_fs: Data.fs, agent: 'unix:{tmp_path}/agent.sock'}}]}}]\n"
    )
    with fake_agent(tmp_path / "agent.sock", answering(http(status))):
        result = CliRunner().invoke(main, ["agent", "status", "--config.file", str(config)])
    assert result.exit_code == exit_code, result.output
    assert result.output.startswith("intranet/client1: agent ")


def test_without_any_zope_the_command_says_so(tmp_path: Path) -> None:
    config = tmp_path / "zope-exporter.yml"
    config.write_text("discover: false\nstate_dir: state\n")
    result = CliRunner().invoke(main, ["agent", "status", "--config.file", str(config)])
    assert (result.exit_code, result.output) == (0, "found no running Zope on this host\n")


def test_a_mistake_in_the_configuration_is_told(tmp_path: Path) -> None:
    config = tmp_path / "zope-exporter.yml"
    config.write_text("sites: 7\n")
    result = CliRunner().invoke(main, ["agent", "status", "--config.file", str(config)])
    assert result.exit_code == 2
    assert "sites: must be a list" in result.output
