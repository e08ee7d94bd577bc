from pathlib import Path

import pytest
import yaml

from tests.alerts.cases import ALERTS, groups
from tests.support.monitoring.dashboards import made
from tests.support.programs.exporter import zope_exporter
from zope_exporter.alerting.rules import generate
from zope_exporter.alerting.thresholds import ThresholdError, fill, read_thresholds

SHIPPED = ALERTS / "thresholds.yml"
SHARES = {"backup_age", "slo_budget_left"}  # that only dashboards draw


def test_the_committed_rules_are_those_of_source_and_thresholds() -> None:
    kept = {f"rules/{path.name}": path.read_text() for path in (ALERTS / "rules").iterdir()}
    made = {name: text for name, text in generate(ALERTS).items() if name.startswith("rules/")}
    assert kept == made, "run zope-exporter rules --dashboards grafana/dashboards alerts"


def test_every_threshold_is_used() -> None:
    sources = "".join(path.read_text() for path in (ALERTS / "source").glob("*.yml"))
    of_generator = {"job", "runbook_url", "runbook_public", "status_url", "exporter_url"}
    of_generator |= {"dashboard_url", "grafana_url"}
    for name in yaml.safe_load(SHIPPED.read_text()).keys() - of_generator:
        used = f"<{name}>" in sources or f"<{name}:" in sources
        assert used or made(**{name: "0.123" if name in SHARES else "123s"}) != made(), name


def test_the_operators_form_has_the_same_groups() -> None:
    form = yaml.safe_load(generate(ALERTS)["kubernetes/prometheusrule.yml"])
    assert (form["apiVersion"], form["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    plain = groups(ALERTS / "rules/zope.yml")
    assert {group["name"]: group for group in form["spec"]["groups"]} == plain


def test_own_thresholds_in_place_of_ours(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text(
        "pack_overdue: 30d\njob: 'job=~\"zope|plone\"'\nrunbook_url: 'https://wiki/<alert>'\n"
        "grafana_url: https://grafana\n"
    )
    run = zope_exporter("rules", tmp_path, "--thresholds", own, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    written = groups(tmp_path / "rules/zope.yml")
    rules = written["zope-storage"]["rules"]
    overdue = next(rule for rule in rules if rule.get("alert") == "ZopePackOverdue")
    assert "> 2592000" in overdue["expr"]
    assert 'job=~"zope|plone"' in overdue["expr"]
    assert "last 30d" in overdue["annotations"]["description"]
    assert overdue["annotations"]["runbook_url"] == "https://wiki/ZopePackOverdue"
    assert overdue["annotations"]["dashboard_url"].startswith(
        "https://grafana/d/zope-overview?var-"
    )
    assert 'job="zope"' not in (tmp_path / "rules/zope.yml").read_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pakc_overdue: 8d", "pakc_overdue: no such threshold"),
        ("pack_overdue: soon", "pack_overdue: 'soon' is no duration such as 90s, 5m or 8d"),
        ("at_once: soon", "own.yml: at_once: 'soon' is no duration such as 90s, 5m or 8d"),
        ("memory: 90%", "own.yml: memory: '90%' is no number such as 0.9 or 1e9"),
        ("memory: 5m\nslo: high", "memory: '5m' is no number such as 0.9 or 1e9; slo: 'high'"),
        ("- 1", "must be lines of `name: value`"),
        ("a: [1", "own.yml"),
    ],
)
def test_thresholds_that_cannot_be_used(text: str, reason: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text(text)
    run = zope_exporter("rules", tmp_path / "out", "--thresholds", own, state_dir=tmp_path)
    assert run.returncode == 2
    assert reason in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_place_without_a_threshold() -> None:
    with pytest.raises(ThresholdError, match="<nothing> is no threshold"):
        fill("x > <nothing>", read_thresholds(SHIPPED))


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("1h30m", 5400), ("8d", 691200)])
def test_durations_in_seconds(duration: str, seconds: int) -> None:
    assert fill("<x:seconds>", {"x": duration}) == str(seconds)
