"""What is shipped to run the exporter with: units, cron lines, Kubernetes objects."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.cli.main import main
from zope_exporter.system.healthcheck import TIMEOUT
from zope_exporter.system.resources import shipped

DEPLOY = shipped("deploy")
KUBERNETES = DEPLOY / "kubernetes"
SERVICES = sorted(DEPLOY.glob("*.service"))
TIMERS = sorted(DEPLOY.glob("*.timer"))
THRESHOLD = 20  # tenths: an exposure below 2.0


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [str(require(tool, "systemd-analyze")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def flags_of(words: list[str]) -> None:
    """Fail unless the words after `zope-exporter` are a command with flags that it has."""
    name, *flags = words
    command = main.commands[name]
    known = {option for flag in command.params for option in flag.opts}
    assert isinstance(command, click.Command)
    assert {flag.partition("=")[0] for flag in flags if flag.startswith("--")} <= known


def test_everything_that_should_be_there_is() -> None:
    names = {path.name for path in DEPLOY.iterdir()}
    actions = [f"zope-exporter-{action}" for action in ("backup", "pack", "verify")]
    assert {f"{name}.{kind}" for name in actions for kind in ("service", "timer")} < names
    assert {"zope-exporter.service", "zope-exporter.cron", "kubernetes"} < names
    assert "zope-exporter.socket" in names


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_promise_30_a_unit_is_hardened(unit: Path) -> None:
    scored = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager", unit)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    assert "Overall exposure level" in scored.stdout


def test_a_unit_that_is_not_hardened_is_told(tmp_path: Path) -> None:
    text = SERVICES[0].read_text()
    for line in ("CapabilityBoundingSet=\n", "SystemCallFilter=@system-service\n"):
        text = text.replace(line, "")
    (tmp_path / "soft.service").write_text(text)
    soft = tmp_path / "soft.service"
    assert analyze("security", "--offline=true", f"--threshold={THRESHOLD}", soft).returncode != 0


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_we_have_and_lets_it_see_zope(unit: Path) -> None:
    text = unit.read_text()
    [command] = re.findall(r"(?m)^ExecStart=\S+/zope-exporter (.*)$", text)
    flags_of(command.split())
    assert "ProtectProc=default\nProcSubset=all\n" in text
    assert "PrivateUsers" not in text, "the sockets of agents and the files have owners"


def test_backups_write_the_repository_and_nothing_else() -> None:
    text = (DEPLOY / "zope-exporter-backup.service").read_text()
    assert re.findall(r"(?m)^ReadWritePaths=(.*)$", text) == ["/backup/intranet"]
    assert "ProtectSystem=strict" in text


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)
def test_a_timer_has_a_service_and_a_time(timer: Path) -> None:
    assert timer.with_suffix(".service") in SERVICES
    [when] = re.findall(r"(?m)^OnCalendar=(.*)$", timer.read_text())
    assert analyze("calendar", when).returncode == 0


def test_a_socket_is_for_its_service_and_says_how_that_takes_it() -> None:
    text = (DEPLOY / "zope-exporter.socket").read_text()
    started = re.findall(r"(?m)^ExecStart=(.*)$", (DEPLOY / "zope-exporter.service").read_text())
    [advised] = re.findall(r"(?m)^#   ExecStart=(.+)$", text)
    flags_of(advised.split()[1:])
    assert [advised.replace(" --web.systemd-socket", "")] == started
    assert "ListenStream=127.0.0.1:9673\n" in text


def test_cron_lines_run_commands_we_have() -> None:
    lines = (DEPLOY / "zope-exporter.cron").read_text().splitlines()
    jobs = [line for line in lines if re.match(r"[\d*]", line)]
    assert len(jobs) == 4
    for line in jobs:
        *when, user, program = line.split()[:7]
        assert len(when) == 5
        assert (user, Path(program).name) == ("zope", "zope-exporter")
        flags_of(line.split()[7:])


def _containers(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        return [found for item in data for found in _containers(item)]
    if not isinstance(data, dict):
        return []
    inner = [found for value in data.values() for found in _containers(value)]
    return [*data.get("containers", ()), *inner] if "containers" in data else inner


def healthcheck() -> Any:
    """The command of the image's own health check, which is tried against real exporters."""
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text()
    [command] = re.findall(r"HEALTHCHECK .*CMD \\\n *(\[.*\])$", dockerfile, re.MULTILINE)
    return json.loads(command)


def test_kubernetes_objects_parse_and_ours_are_locked_down() -> None:
    documents = list(yaml.safe_load_all((KUBERNETES / "zope.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["StatefulSet", "CronJob"]
    ours = [c for c in _containers(documents) if c["image"].startswith("zope-exporter")]
    assert {container["name"] for container in ours} == {"exporter", "backup"}
    for container in ours:
        flags_of(container["args"])
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    [exporter] = [container for container in ours if container["name"] == "exporter"]
    assert exporter["livenessProbe"]["exec"]["command"] == healthcheck()
    assert exporter["livenessProbe"]["timeoutSeconds"] > TIMEOUT
    assert "readinessProbe" not in exporter, "it would keep the visitors of Zope out"
    [cron_job] = [d["spec"] for d in documents if d["kind"] == "CronJob"]
    assert cron_job["concurrencyPolicy"] == "Forbid"


def test_kubernetes_takes_the_objects_as_they_are() -> None:
    command = [sys.executable, "-m", "kubernetes_validate", "--strict"]
    done = subprocess.run(
        [*command, KUBERNETES / "zope.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_operator_finds_the_port_and_the_pods() -> None:
    zope, _ = yaml.safe_load_all((KUBERNETES / "zope.yaml").read_text())
    monitor = yaml.safe_load((KUBERNETES / "podmonitor.yaml").read_text())
    labels = zope["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [exporter] = [each for each in _containers(zope) if each["name"] == "exporter"]
    assert [port["name"] for port in exporter["ports"]] == [endpoint["port"]]
    assert {"targetLabel": "job", "replacement": "zope"} in endpoint["relabelings"]


def test_both_containers_of_a_pod_are_of_one_user_and_group() -> None:
    zope, _ = yaml.safe_load_all((KUBERNETES / "zope.yaml").read_text())
    pod = zope["spec"]["template"]["spec"]
    assert pod["shareProcessNamespace"] is True
    assert {"runAsUser", "runAsGroup"} < pod["securityContext"].keys()
    own = [container.get("securityContext", {}) for container in pod["containers"]]
    assert not any("runAsUser" in each or "runAsGroup" in each for each in own)


def test_the_base_has_all_that_it_names_where_it_is_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["assets", str(tmp_path)])
    assert done.exit_code == 0, done.output
    bases = [tmp_path / "deploy/kubernetes"]
    kinds: list[str] = []
    while bases:
        base = bases.pop()
        for name in yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]:
            if (base / name).is_dir():
                bases.append(base / name)
            else:
                kinds += [each["kind"] for each in yaml.safe_load_all((base / name).read_text())]
    assert sorted(kinds) == ["CronJob", "PodMonitor", "PrometheusRule", "StatefulSet"]
