"""Each alert fires when it must and is silent when it must not, as Prometheus' own tool sees it."""

from pathlib import Path

import pytest

from tests.alerts.cases import ALERTS, cases, groups, promtool_says
from tests.support.debian import tool
from tests.support.require import require

FILES = sorted((ALERTS / "tests").glob("*.yml"))
RULES = groups(ALERTS / "rules/zope.yml") | groups(ALERTS / "rules/plone-observability.yml")
BY_FILE = {name.removeprefix("zope-"): group for name, group in RULES.items()}
ALWAYS = {"ZopeWatchdog"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_alerts_of_a_group(file: Path, tmp_path: Path) -> None:
    group = BY_FILE[file.stem]
    wrong = promtool_says(require(tool, "promtool"), group, cases(file), tmp_path)
    assert not wrong, wrong


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_cases_of_both_kinds(name: str) -> None:
    listed = cases(ALERTS / f"tests/{name.removeprefix('zope-')}.yml")
    told = {(case.alert, fired["severity"]) for case in listed for fired in case.fires}
    silent = {case.alert for case in listed if not case.fires}
    alerts = {(r["alert"], r["labels"]["severity"]) for r in RULES[name]["rules"] if "alert" in r}
    assert told == alerts
    assert silent | ALWAYS >= {alert for alert, _ in alerts}
