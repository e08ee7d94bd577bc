"""Days without a fault, also one of restarts, releases, packs and lost packets: no alert."""

import re
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from tests.alerts import rough_day
from tests.alerts.cases import ALERTS, groups, of_exporter
from tests.alerts.day import series
from tests.support.programs.debian import tool
from tests.support.programs.require import require

RULES = ALERTS / "rules/zope.yml"
TOLD = 'ALERTS{alertstate="firing", severity=~"critical|warning"}'


def test_the_day_has_every_metric_that_an_alert_looks_at() -> None:
    asked: set[str] = set()

    def look(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            asked.add(node.name or "")

    for group in groups(RULES).values():
        for rule in group["rules"]:
            promql_parser.walk(promql_parser.parse(rule["expr"]), look)
    had = {re.split(r"\W", name)[0] for name in series()}
    of_prometheus = {"ALERTS"}  # made while it evaluates, of nothing that it scrapes
    assert {name for name in asked if ":" not in name} - had == of_prometheus


DAYS = {
    "calm": (series, 60, 60, 24 * 60),
    "rough": (rough_day.series, rough_day.STEP, rough_day.EVALUATION, 8 * 60),
}


@pytest.mark.parametrize("day", DAYS)
def test_nothing_fires_that_anybody_is_told_of(day: str, tmp_path: Path) -> None:
    made, step, evaluation, minutes = DAYS[day]
    end = f"{minutes}m"
    always = f'count(count_over_time(ALERTS{{severity="none"}}[{end}]) > {minutes - 40})'
    test = {
        "interval": f"{step}s",
        "input_series": [{"series": of_exporter(s), "values": v} for s, v in made().items()],
        "promql_expr_test": [
            {"expr": f"count_over_time({TOLD}[{end}])", "eval_time": end, "exp_samples": []},
            {  # the query does see alerts
                "expr": always,
                "eval_time": end,
                "exp_samples": [{"labels": "{}", "value": 1}],
            },
        ],
    }
    rules = {"rule_files": [str(RULES)], "evaluation_interval": f"{evaluation}s", "tests": [test]}
    file = tmp_path / "day.yml"
    file.write_text(yaml.safe_dump(rules))
    run = subprocess.run(
        [require(tool, "promtool"), "test", "rules", file],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
