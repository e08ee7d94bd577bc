"""Alertmanager sends each alert where it belongs, and none that another one says already."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import yaml

from tests.alerts.cases import ALERTS
from tests.support.monitoring.alertmanager import CONFIG, amtool, fire, running_alertmanager
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.programs.server import free_port
from tests.support.programs.suites import ALERTMANAGERS, of_alertmanager


@pytest.mark.parametrize("version", ALERTMANAGERS)
def test_amtool_accepts_it(version: str) -> None:
    assert "SUCCESS" in amtool("check-config", CONFIG, version=version)


def for_many_hosts(recipe: str, exporters: Sequence[str], directory: Path) -> Path:
    """The shipped configuration with the receivers of a recipe, `repair` with all exporters."""
    config = yaml.safe_load(CONFIG.read_text())
    text = (ALERTS / f"many-hosts/{recipe}.yml").read_text()
    new = {receiver["name"]: receiver for receiver in yaml.safe_load(text)["receivers"]}
    if recipe == "listed":
        first, *_ = new["repair"]["webhook_configs"]
        urls = [f"http://{exporter}/api/v1/alertmanager" for exporter in exporters]
        new["repair"]["webhook_configs"] = [{**first, "url": url} for url in urls]
    assert new.keys() == {"repair", "watchdog"}
    config["receivers"] = [new.get(each["name"], each) for each in config["receivers"]]
    config["templates"] = [str(ALERTS / "templates/zope.tmpl")]
    file = directory / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.parametrize(
    ("recipe", "version"), [*(("listed", each) for each in ALERTMANAGERS), ("templated", "0.33")]
)
def test_amtool_accepts_the_recipes_for_ten_hosts(
    recipe: str, version: str, tmp_path: Path
) -> None:
    ten = [f"web{number}.example.org:9673" for number in range(1, 11)]
    config = for_many_hosts(recipe, ten, tmp_path)
    assert "SUCCESS" in amtool("check-config", config, version=version)
    assert config.read_text().count("/api/v1/alertmanager") == (12 if recipe == "listed" else 3)


@pytest.mark.parametrize("version", [each for each in ALERTMANAGERS if each != "0.33"])
def test_older_ones_refuse_an_address_with_a_template(version: str, tmp_path: Path) -> None:
    config = for_many_hosts("templated", (), tmp_path)
    program = require(of_alertmanager, "amtool", version)
    run = subprocess.run(
        [program, "check-config", config], capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "invalid character" in run.stdout


def test_amlint_finds_nothing_amiss() -> None:
    # Whose alerts nobody is to hear of need a receiver without a way; the watchdog's is repeated
    # at each interval of its group by this very trick.
    command = [str(Path(sys.executable).with_name("amlint")), "check", "--strict"]
    command += ["--ignore", "empty-receiver,repeat-before-group"]
    command += ["--rules", str(ALERTS / "rules/zope.yml"), str(CONFIG)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=ZopeSiteDown severity=critical site=a", "page"),
        ("alertname=ZopePingSlow severity=warning site=a", "mail"),
        ("alertname=ZopeRestarted severity=info site=a", "nobody"),
        ("alertname=ZopeWatchdog severity=none", "watchdog"),
        ("alertname=ZopeBackupOverdue severity=critical site=a database=main", "repair,page"),
        ("alertname=ZopePackOverdue severity=warning site=a database=main", "repair,mail"),
        ("alertname=OfSomethingElse severity=page", "mail"),
    ],
)
def test_routes(labels: str, receivers: str) -> None:
    config = f"--config.file={CONFIG}"
    said = amtool("config", "routes", "test", config, *labels.split())
    assert said.split() == [receivers]


@pytest.fixture(params=ALERTMANAGERS)
def alertmanager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx.Client]:
    # It is not let out: what is asked is which alerts it would tell of.
    with running_alertmanager(request.param, tmp_path, free_port()) as client:
        yield client


def told(client: httpx.Client, *alerts: str) -> set[str]:
    """Names and sites of those that are not inhibited, when all are known."""
    fire(client, alerts)

    def known() -> list[dict[str, dict[str, str]]]:
        found = client.get("/api/v2/alerts").json()
        return found if len(found) == len(alerts) else []

    eventually(known)
    active = client.get("/api/v2/alerts", params={"inhibited": "false"}).json()
    return {f"{a['labels']['alertname']} {a['labels'].get('site', '')}".strip() for a in active}


def test_a_site_that_is_down_silences_what_follows_from_it(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeSiteDown severity=critical site=a",
        "alertname=ZopeProcessDown severity=warning site=a zope=one",
        "alertname=ZopeErrorBudgetBurn severity=critical site=a",
        "alertname=ZopeErrorBudgetBurn severity=critical site=b",
        "alertname=ZopeDiskAlmostFull severity=critical site=a database=main",
        "alertname=ZopeLogCritical severity=critical site=a log=one-event",
    ) == {"ZopeSiteDown a", "ZopeErrorBudgetBurn b", "ZopeDiskAlmostFull a", "ZopeLogCritical a"}


def test_the_critical_one_of_a_pair_silences_the_other(alertmanager: httpx.Client) -> None:
    one = "alertname=ZopePoolExhausted site=a zope=one database=main"
    other = "alertname=ZopePoolExhausted site=b zope=one database=main"
    assert told(
        alertmanager,
        f"{one} severity=warning",
        f"{one} severity=critical",
        f"{other} severity=warning",
    ) == {"ZopePoolExhausted a", "ZopePoolExhausted b"}
    paged = alertmanager.get("/api/v2/alerts", params={"receiver": "page"}).json()
    assert [alert["status"]["state"] for alert in paged] == ["active"]


def test_a_zeo_server_that_is_down_is_the_one_to_hear_of(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeZeoServerDown severity=critical site=a server=x storage=1",
        "alertname=ZopeSiteDown severity=critical site=a",
        "alertname=ZopeZeoClientDisconnected severity=critical site=a zope=one database=main",
        "alertname=ZopeProcessDown severity=warning site=a zope=zeo",
    ) == {"ZopeZeoServerDown a"}


def test_nor_do_clients_that_still_answer_from_their_caches(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeZeoServerDown severity=critical site=a server=x storage=1",
        "alertname=ZopeProcessDown severity=warning site=a zope=zeo",
        "alertname=ZopeErrorBudgetBurn severity=critical site=a",
        "alertname=ZopeDiskAlmostFull severity=critical site=a database=main",
    ) == {"ZopeZeoServerDown a", "ZopeDiskAlmostFull a"}


def test_a_burning_budget_says_what_the_log_says_too(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeErrorBudgetBurn severity=critical site=a",
        "alertname=ZopeLogErrors severity=warning site=a log=one-event",
        "alertname=ZopeErrorBudgetBurn severity=warning site=b",
        "alertname=ZopeLogErrors severity=warning site=b log=one-event",
    ) == {"ZopeErrorBudgetBurn a", "ZopeErrorBudgetBurn b", "ZopeLogErrors b"}


def test_what_the_logs_have_told_at_once_the_budget_does_not_tell_later(
    alertmanager: httpx.Client,
) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeRequestsFailing severity=critical site=a",
        "alertname=ZopeErrorBudgetBurn severity=critical site=a",
        "alertname=ZopeRequestsFailing severity=warning site=b",
        "alertname=ZopeErrorBudgetBurn severity=critical site=b",
    ) == {"ZopeRequestsFailing a", "ZopeRequestsFailing b", "ZopeErrorBudgetBurn b"}


def test_an_exporter_that_is_down_silences_nothing(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeExporterDown severity=critical instance=zope1:9673",
        "alertname=ZopeSiteDown severity=critical site=a",
        "alertname=ZopeBackupOverdue severity=critical site=a database=main",
    ) == {"ZopeExporterDown", "ZopeSiteDown a", "ZopeBackupOverdue a"}


def test_an_overdue_backup_and_a_full_disk_say_it_all(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeBackupOverdue severity=critical site=a database=main",
        "alertname=ZopeActionFailed severity=warning site=a database=main action=backup",
        "alertname=ZopeActionFailed severity=warning site=b database=main action=pack",
        "alertname=ZopeDiskAlmostFull severity=warning mountpoint=/srv",
        "alertname=ZopeDiskAlmostFull severity=critical mountpoint=/srv",
        "alertname=ZopeDiskFullPredicted severity=critical mountpoint=/srv",
        "alertname=ZopeDiskFullPredicted severity=warning mountpoint=/var/log",
        "alertname=ZopeNoRoomForPack severity=warning site=a database=main",
    ) == {
        "ZopeBackupOverdue a",
        "ZopeActionFailed b",
        "ZopeDiskAlmostFull",
        "ZopeDiskFullPredicted",
    }


def test_what_one_host_suffers_from_silences_nothing_of_a_stranger_of_the_name(
    alertmanager: httpx.Client,
) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeSiteDown severity=critical site=a instance=web1:9673",
        "alertname=ZopeProcessDown severity=warning site=a zope=one instance=web1:9673",
        "alertname=ZopeErrorBudgetBurn severity=critical site=a instance=web2:9673",
        "alertname=ZopeSiteDown severity=critical site=b instance=web1:9673 cluster=live",
        "alertname=ZopeErrorBudgetBurn severity=critical site=b instance=web1:9673 cluster=test",
    ) == {"ZopeSiteDown a", "ZopeErrorBudgetBurn a", "ZopeSiteDown b", "ZopeErrorBudgetBurn b"}


def test_one_fault_of_two_clients_is_told_once(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeProcessDown severity=warning site=a zope=one",
        "alertname=ZopeProcessDown severity=warning site=a zope=two",
        "alertname=ZopeTargetDown severity=warning site=a target=one",
        "alertname=ZopeTargetDown severity=warning site=a target=two",
        "alertname=ZopeZeoClientsMissing severity=warning site=a server=zeo storage=1",
    ) == {"ZopeProcessDown a"}


def test_blobs_that_are_missing_are_the_one_to_hear_of(alertmanager: httpx.Client) -> None:
    assert told(
        alertmanager,
        "alertname=ZopeBlobDirectoryMissing severity=critical site=a database=main",
        "alertname=ZopePOSKeyError severity=critical site=a log=one-event",
        "alertname=ZopeSourceBlind severity=warning site=a zope=one source=blobs",
    ) == {"ZopeBlobDirectoryMissing a"}
