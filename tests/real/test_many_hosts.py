"""Three hosts whose sites have one name, one Prometheus, one Alertmanager, one overdue backup."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.alerts.cases import ALERTS
from tests.support.monitoring.backed_up import backed_up_site
from tests.support.monitoring.prometheus import Prometheus
from tests.support.programs.debian import tool
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.hosts import Host, separate_hosts
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.programs.server import Server, free_port
from tests.support.programs.suites import of_alertmanager
from zope_exporter.demo.alerting import Addresses, Pace, write_configuration

TOKEN = "t0p-s3cret-0123456789abcdef"
PACE = Pace(scrape=2, group=2, day=3600, thresholds={"patient": "4s", "at_once": "4s"})
PORT = 9673
OVERDUE = 1  # the number of the host that has no backup
RECIPES = {"listed": "0.25", "templated": "0.33"}


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    with ExitStack() as made:
        yield require(made.enter_context, separate_hosts(3))


def serve(running: ExitStack, host: Host, directory: Path, backed_up: bool) -> Running:
    # Of the name that its directory has on every host.
    file = backed_up_site(directory, TOKEN, "instance", "instance")
    if backed_up:
        made = zope_exporter("backup", "--config.file", file, state_dir=directory / "state")
        assert made.returncode == 0, made.stdout + made.stderr
    flags = ("--config.file", file, "--web.listen-address", f"{host.address}:{PORT}")
    log = directory / "exporter.log"
    within = serving(directory / "state", *flags, log=log, within=host.within)
    return running.enter_context(within)


def monitoring(top: Path, hosts: list[Host], recipe: str) -> tuple[Path, Path, Addresses]:
    """Configure both as shipped, with the receivers of a recipe in place of those for one host."""
    targets = [f"{host.address}:{PORT}" for host in hosts]
    local = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    addresses = Addresses(targets[0], *local)
    (top / "token").write_text(TOKEN)
    files = write_configuration(top / "stack", addresses, top / "token", PACE)
    prometheus, alertmanager = (yaml.safe_load(file.read_text()) for file in files)
    prometheus["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
    text = (ALERTS / "many-hosts" / f"{recipe}.yml").read_text()
    for number, target in enumerate(targets, 1):
        text = text.replace(f"web{number}.example.org:9673", target)
    text = text.replace("zope-exporter-token", str(top / "token"))
    new = {receiver["name"]: receiver for receiver in yaml.safe_load(text)["receivers"]}
    receivers = alertmanager["receivers"]
    alertmanager["receivers"] = [new.get(each["name"], each) for each in receivers]
    for file, document in zip(files, (prometheus, alertmanager), strict=True):
        file.write_text(yaml.safe_dump(document))
    return (*files, addresses)


def start(running: ExitStack, top: Path, hosts: list[Host], recipe: str) -> Prometheus:
    config, alertmanager_config, addresses = monitoring(top, hosts, recipe)
    commands = (
        (require(tool, "prometheus"), config, addresses.prometheus, "storage.tsdb.path"),
        (
            require(of_alertmanager, "alertmanager", RECIPES[recipe]),
            alertmanager_config,
            addresses.alertmanager,
            "storage.path",
        ),
    )
    for program, file, address, storage in commands:
        name = file.stem
        flags = [f"--config.file={file}", f"--web.listen-address={address}"]
        flags += [f"--{storage}={top / name}"]
        flags += ["--cluster.listen-address="] if name == "alertmanager" else []
        server = Server([program, *flags], top / f"{name}.log")
        running.callback(server.end)
        server.wait_until(partial(ready, address))
    prometheus = Prometheus(f"http://{addresses.prometheus}")
    running.callback(prometheus.close)
    return prometheus


def ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False


def jobs(exporter: Running) -> list[dict[str, Any]]:
    """The jobs that an alert has begun."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{exporter.url}/api/v1/jobs", headers=headers, trust_env=False, timeout=30)
    return [job for job in answer.json()["jobs"] if job["origin"].startswith("alert")]


def told(exporter: Running) -> dict[str, float]:
    """What has become of the alerts that arrived."""
    page = exporter.page()["zope_webhook_alerts_total"]
    return {dict(labels)["outcome"]: value for labels, value in page.items() if value}


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_overdue_backup_is_made_once_and_on_its_own_host(
    hosts: list[Host], tmp_path: Path, recipe: str
) -> None:
    with ExitStack() as running:
        exporters = [
            serve(running, host, tmp_path / f"host{number}", backed_up=number != OVERDUE)
            for number, host in enumerate(hosts)
        ]
        prometheus = start(running, tmp_path, hosts, recipe)
        firing = 'ALERTS{alertname="ZopeBackupOverdue", alertstate="firing"}'
        [alert] = eventually(lambda: prometheus.query(firing), 120)
        assert alert["metric"]["instance"] == f"{hosts[OVERDUE].address}:{PORT}"
        eventually(lambda: [job["state"] for job in jobs(exporters[OVERDUE])] == ["succeeded"], 120)
        if recipe == "listed":
            others = [exporters[n] for n in range(len(hosts)) if n != OVERDUE]
            eventually(lambda: all(told(other).get("foreign") for other in others), 120)
        eventually(lambda: not prometheus.query(firing), 120)
        assert [len(jobs(exporter)) for exporter in exporters] == [0, 1, 0]
        outcomes = set().union(*map(told, exporters))
    assert outcomes - {"unconfigured", "foreign", "duplicate"} == {"accepted"}
    assert ("foreign" in outcomes) == (recipe == "listed")
