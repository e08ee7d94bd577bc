"""`check`, the status page and the alerts judge what lasts alike, by whatever numbers.

Whether an alert fires is Prometheus' own answer: the rules are generated, and evaluated for as long
as the most patient of them waits.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.cases import ALERTS, only_what_it_needs
from tests.alerts.steady import FIXED, INVENTORY, MOVING, NOW, STERNER, State
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from tests.support.web.status import observed
from zope_exporter.alerting.rules import generate
from zope_exporter.alerting.thresholds import Limits, read_limits
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.site import judge
from zope_exporter.clients.agent.diagnosis import Absence
from zope_exporter.system.resources import PACKAGE
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Fact, Offers, SiteView

ALL = [*MOVING, *FIXED, *STERNER]
RANKS = {"info": 1, "warning": 2, "critical": 3}
STEP, STEPS = 300, 370  # seconds; more than the day that some alerts wait
LEVELS = {Severity.CRITICAL: "critical", Severity.WARNING: "warning"}
# Of these no alert can be made to say the same: the texts that have them are tested elsewhere.
IN_WORDS = {"cache_full", "clock_skew"}
# Of advice, which is no finding: tests/checks/test_advice.py.
OF_ADVICE = {"loads_per_request"}
# Rates, which no state has; alerts/tests and tests/checks try them.
OF_RATES = {"failing", "failing_blind", "failing_critical", "failing_least"}
OF_RATES |= {"all_failing", "all_failing_least_requests"}


def judged(state: State, limits: Limits) -> str:
    found = judge(INVENTORY, state.scrape(), limits, lambda: NOW, lambda _: Absence("none"))
    return LEVELS.get(
        worst(each.severity for each in found),
        "info" * any("would free" in each.text for each in found),
    )


def worst(severities: Iterable[Severity]) -> Severity:
    return max(severities, default=Severity.OK)


def own(state: State, directory: Path) -> Path:
    file = directory / "own.yml"
    file.write_text(yaml.safe_dump(dict(state.own)))
    return file


@pytest.mark.parametrize("state", MOVING, ids=str)
def test_check_judges_by_the_thresholds_and_by_own_ones(state: State, tmp_path: Path) -> None:
    assert judged(state, read_limits()) == state.severity
    assert judged(state, read_limits(own(state, tmp_path))) == state.moved


@pytest.mark.parametrize("state", FIXED, ids=str)
def test_check_judges_the_rest_as_the_alerts(state: State) -> None:
    assert judged(state, read_limits()) == state.severity


@pytest.mark.parametrize("state", STERNER, ids=str)
def test_where_check_is_sterner_the_alert_warns_at_least(state: State) -> None:
    assert (judged(state, read_limits()), state.severity) == ("critical", "warning")


def test_nothing_is_said_of_a_site_that_is_well() -> None:
    assert judged(State("", {}), read_limits()) == ""


def test_every_limit_is_tried() -> None:
    tried = {name for state in MOVING for name in state.own}
    sources = "".join(path.read_text() for path in (PACKAGE / "checks").glob("*.py"))
    assert tried | IN_WORDS | OF_RATES | OF_ADVICE == set(
        re.findall(r"\blimits\.([a-z_]+)", sources)
    )


@pytest.mark.parametrize("state", ALL, ids=str)
def test_the_page_colours_nothing_that_check_does_not_tell(state: State) -> None:
    observer = observed(INVENTORY, [state.scrape()], NOW)
    [site] = compose(observer, read_limits(), list, Offers, lambda: NOW).sites
    coloured = worst(fact.severity for fact in _facts(site))
    assert coloured <= worst(finding.severity for finding in site.reasons)


def _facts(site: SiteView) -> Iterator[Fact]:
    yield from site.targets
    for zope in site.zopes:
        yield from zope.facts
    for database in site.databases:
        yield from database.facts


def test_the_alerts_fire_in_just_these_states(tmp_path: Path) -> None:
    expected = [State(name, {}) for name in sorted({state.alert for state in ALL})]
    wrong = promtool_says([*ALL, *expected], ALERTS / "thresholds.yml", tmp_path)
    assert not wrong, wrong


@pytest.mark.parametrize("state", MOVING, ids=str)
def test_the_alerts_move_with_the_same_file(state: State, tmp_path: Path) -> None:
    wrong = promtool_says([state.as_moved()], own(state, tmp_path), tmp_path)
    assert not wrong, wrong


def promtool_says(states: Sequence[State], thresholds: Path, directory: Path) -> str:
    """Return what promtool finds wrong with the severities of the states' alerts."""
    rules = yaml.safe_load(generate(ALERTS, thresholds)["rules/zope.yml"])
    files: list[Path] = []
    for number, state in enumerate(states):
        groups = [only_what_it_needs(state.alert, group) for group in rules["groups"]]
        (directory / f"rules-{state.alert}.yml").write_text(yaml.safe_dump({"groups": groups}))
        files.append(directory / f"{number:03}-{state.alert}.yml")
        files[-1].write_text(yaml.safe_dump(_test(state)))
    command = [str(require(tool, "promtool")), "test", "rules", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def _test(state: State) -> dict[str, Any]:
    # What is critical is a warning too, where there are two limits; the worst is what counts.
    firing = f'ALERTS{{alertname="{state.alert}", alertstate="firing"}}'
    ranked = " or ".join(f'{firing[:-1]}, severity="{s}"}} * {rank}' for s, rank in RANKS.items())
    sample = {"labels": "{}", "value": RANKS.get(state.severity, 0)}
    look = {
        "expr": f"max({ranked}) or vector(0)",
        "eval_time": f"{STEP * (STEPS - 10)}s",
        "exp_samples": [sample],
    }
    test = {
        "name": str(state),
        "interval": f"{STEP}s",
        "input_series": list(state.series(STEP, STEPS)),
        "promql_expr_test": [look],
    }
    return {
        "rule_files": [f"rules-{state.alert}.yml"],
        "evaluation_interval": f"{STEP}s",
        "tests": [test],
    }
