from pathlib import Path

import pytest
import yaml

from tests.alerts.cases import ALERTS, groups
from tests.support.exporter import zope_exporter
from zope_exporter.rules.generate import generate
from zope_exporter.rules.thresholds import ThresholdError, fill, read_thresholds

SHIPPED = ALERTS / "thresholds.yml"


def test_the_committed_rules_are_those_of_source_and_thresholds() -> None:
    for name, text in generate(ALERTS).items():
        assert (ALERTS / name).read_text() == text, "run zope-exporter rules alerts"


def test_every_threshold_is_used() -> None:
    sources = "".join(path.read_text() for path in (ALERTS / "source").glob("*.yml"))
    of_generator = {"job", "runbook_url"}
    for name in yaml.safe_load(SHIPPED.read_text()).keys() - of_generator:
        assert f"<{name}>" in sources or f"<{name}:" in sources, name


def test_the_operators_form_has_the_same_groups() -> None:
    form = yaml.safe_load((ALERTS / "kubernetes/prometheusrule.yml").read_text())
    assert (form["apiVersion"], form["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    plain = groups(ALERTS / "rules/zope.yml")
    assert {group["name"]: group for group in form["spec"]["groups"]} == plain


def test_own_thresholds_in_place_of_ours(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text(
        "pack_overdue: 30d\njob: 'job=~\"zope|plone\"'\nrunbook_url: 'https://wiki/<alert>'\n"
    )
    run = zope_exporter("rules", tmp_path, "--thresholds", own, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    made = groups(tmp_path / "rules/zope.yml")
    overdue = next(r for r in made["zope-storage"]["rules"] if r.get("alert") == "ZopePackOverdue")
    assert "> 2592000" in overdue["expr"]
    assert 'job=~"zope|plone"' in overdue["expr"]
    assert "last 30d" in overdue["annotations"]["description"]
    assert overdue["annotations"]["runbook_url"] == "https://wiki/ZopePackOverdue"
    assert 'job="zope"' not in (tmp_path / "rules/zope.yml").read_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pakc_overdue: 8d", "pakc_overdue: no such threshold"),
        ("pack_overdue: soon", "pack_overdue: 'soon' is no duration such as 90s, 5m or 8d"),
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
