"""Each alert fires when it must and is silent when it must not, as Prometheus' own tool sees it."""

import subprocess
from pathlib import Path

import pytest

from tests.alerts.cases import ALERTS, cases, groups, promtool_says
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from tests.support.programs.suites import newer_tool

FILES = sorted((ALERTS / "tests").glob("*.yml"))
RULES = groups(ALERTS / "rules/zope.yml") | groups(ALERTS / "rules/plone-observability.yml")
BY_FILE = {name.removeprefix("zope-"): group for name, group in RULES.items()}
SUITES = {"2.53": "trixie", "3.5": "forky"}
VERSIONS = ("2.42", *SUITES)
ALWAYS = {"ZopeWatchdog"}


def promtool(version: str) -> Path:
    if version == "2.42":  # of this system
        return require(tool, "promtool")
    return require(newer_tool, "promtool", SUITES[version])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_alerts_of_a_group(file: Path, version: str, tmp_path: Path) -> None:
    group = BY_FILE[file.stem]
    wrong = promtool_says(promtool(version), group, cases(file), tmp_path)
    assert not wrong, wrong


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", ["config prometheus.yml", "rules rules/plone-observability.yml"])
def test_what_is_shipped_is_understood(what: str, version: str) -> None:
    kind, file = what.split()
    command = [str(promtool(version)), "check", kind, file]
    run = subprocess.run(command, cwd=ALERTS, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "duplicate" not in run.stdout


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_cases_of_both_kinds(name: str) -> None:
    listed = cases(ALERTS / f"tests/{name.removeprefix('zope-')}.yml")
    told = {(case.alert, fired["severity"]) for case in listed for fired in case.fires}
    silent = {case.alert for case in listed if not case.fires}
    alerts = {(r["alert"], r["labels"]["severity"]) for r in RULES[name]["rules"] if "alert" in r}
    assert told == alerts
    assert silent | ALWAYS >= {alert for alert, _ in alerts}
