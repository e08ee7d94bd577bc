"""The compose files, started by podman-compose: containers, volumes and mounts as they are there.

Prometheus and Alertmanager are the distribution's. Grafana and Mailpit are in none of its packages
and left out, and nothing is published, for the containers have no network but their own.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import backend
from tests.support.programs.backend import URL, ask, until, value
from tests.support.programs.compose import Project, build_monitoring, up
from tests.support.programs.images import TOP, base_images, wheels
from tests.support.programs.podman import Container, Engine, engine
from tests.support.programs.require import require

SHIPPED = TOP / "grafana/compose.yaml"
PROMETHEUS = "http://127.0.0.1:9090/api/v1"
ALERTMANAGER = "http://127.0.0.1:9093/api/v2"
OFFLINE = "[global]\nno-index = true\nfind-links = /wheels\n"
NO_NETWORK = (
    "services: {demo: {network_mode: none}, alertmanager: {depends_on: !override [demo]}}\n"
)
# podman-compose hands `pid: service:plone` on to Podman, which does not know it.
SIDECAR = """\
services:
  plone:
    network_mode: none
    environment: {{ADDONS: {addon}, PIP_PARAMS: --no-index}}
  zope-exporter: {{pid: "container:site_plone_1"}}
"""
# In the exporter's container, which writes to nothing but its volume.
JOBS = (
    "cd /var/lib/zope-exporter; mkdir backups;"
    " echo 'sites: [{name: app, backup: {repository: /var/lib/zope-exporter/backups}}]' >jobs.yml",
    "zope-exporter backup app --config.file /var/lib/zope-exporter/jobs.yml",
    "zope-exporter pack app --days 0 --config.file /var/lib/zope-exporter/jobs.yml",
    "cd /var/lib/zope-exporter; zope-exporter restore backups restored.fs; test -s restored.fs",
)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = tmp_path_factory.mktemp("containers")
    images = require(base_images)
    with ExitStack() as ending:
        made = require(ending.enter_context, engine(home / "engine", (images,)))
        services = yaml.safe_load(SHIPPED.read_text())["services"]
        for name in ("prometheus", "alertmanager"):
            require(build_monitoring, made, home / name, name, services[name]["image"])
        yield made


@pytest.fixture(scope="module")
def shipped(podman: Engine) -> Iterator[Project]:
    """grafana/compose.yaml with a demo that is built as it says, but of packages at hand."""
    home = podman.home.parent
    (home / "pip.conf").write_text(OFFLINE)
    (home / "none.yaml").write_text(NO_NETWORK)
    found = require(wheels, require(base_images))
    mounts = f"--volume={found}:/wheels:ro --volume={home}/pip.conf:/etc/pip.conf:ro"
    build = f"{mounts} --pull=never --network=host --format=docker --layers=false"
    project = Project(podman, "zope-exporter", (SHIPPED, home / "none.yaml"), build)
    with up(project, "demo", "prometheus", "alertmanager"):
        yield project
    assert project.left() == []


def asked(container: Container, url: str) -> Any:
    status, text = ask(container, url)
    return json.loads(text) if status == 200 else None


def up_of_zope(demo: Container) -> list[str]:
    """What Prometheus found out about the exporter."""
    answer = asked(demo, f"{PROMETHEUS}/query?query=up%7Bjob%3D%22zope%22%7D")
    return [sample["value"][1] for sample in answer["data"]["result"]] if answer else []


def documented_sidecar() -> str:
    found = re.search(
        r"^In a compose file:\n\n```yaml\n(.*?)^```$",
        (TOP / "exporter/docs/containers.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found
    return found[1]


# First, for Prometheus of the stack takes half a minute until it scrapes.
def test_the_documented_compose_file_sees_all_of_its_zope(shipped: Project, tmp_path: Path) -> None:
    podman = shipped.engine
    backend.build(podman, tmp_path / "context")
    podman.podman("tag", backend.IMAGE, "localhost/plone/plone-backend")
    podman.podman("tag", shipped.container("demo").inspect("{{.ImageName}}"), "zope-exporter")
    written, changed = tmp_path / "compose.yaml", tmp_path / "changed.yaml"
    written.write_text(documented_sidecar())
    changed.write_text(SIDECAR.format(addon=backend.addon()))
    with up(Project(podman, "site", (written, changed))) as project:
        exporter = project.container("zope-exporter")
        until(exporter, lambda: value(exporter, "zope_ping_up", site="app") == 1)
        assert value(exporter, "zope_process_open_fds", site="app")
        assert value(exporter, "zope_filestorage_size_bytes", database="main") is not None
        assert value(exporter, "zope_agent_up", site="app") == 1
        # What goes to stderr is told by the agent.
        assert value(exporter, "zope_http_requests_total", site="app", code="200")
        assert value(exporter, "zope_event_log_records_total", site="app") is not None
        _, text = ask(exporter, f"{URL}/metrics")
        assert re.findall(r"^zope_collector_success\{.*\} 0", text, re.MULTILINE) == []
        for command in JOBS:
            done = exporter.run("sh", "-ec", command)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert project.left() == []


def test_the_exporter_of_the_stack_sees_its_zope_and_prometheus_the_exporter(
    shipped: Project,
) -> None:
    demo = shipped.container("demo")
    until(demo, lambda: value(demo, "zope_ping_up") == 1)
    assert value(demo, "zope_process_up") == 1
    assert value(demo, "zope_agent_up") == 1
    until(demo, lambda: up_of_zope(demo) == ["1"])
    answer = asked(demo, f"{PROMETHEUS}/query?query=zope_process_up")
    assert [sample["value"][1] for sample in answer["data"]["result"]] == ["1"]


def test_prometheus_has_the_rules_of_the_stack(shipped: Project) -> None:
    demo = shipped.container("demo")
    until(demo, lambda: asked(demo, f"{PROMETHEUS}/rules") is not None)
    groups = asked(demo, f"{PROMETHEUS}/rules")["data"]["groups"]
    told = {rule["name"] for group in groups for rule in group["rules"]}
    rules = yaml.safe_load((TOP / "alerts/rules/zope.yml").read_text())["groups"]
    written = {rule.get("alert", rule.get("record")) for group in rules for rule in group["rules"]}
    assert told == written


def test_an_alert_reaches_alertmanager_of_the_stack(shipped: Project) -> None:
    demo = shipped.container("demo")

    def alerts() -> set[str]:
        found = asked(demo, f"{ALERTMANAGER}/alerts") or ()
        return {alert["labels"]["alertname"] for alert in found}

    until(demo, lambda: "ZopeWatchdog" in alerts())
    healthy = shipped.engine.run_podman("healthcheck", "run", demo.name)
    assert healthy.returncode == 0
