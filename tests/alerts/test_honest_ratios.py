"""No share of failures is shown, or alerted by, where nobody can count them all.

What rules record and what dashboards ask for is evaluated by Prometheus' own tool.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.cases import ALERTS, of_exporter
from tests.support.monitoring.dashboards import filled
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.alerting.dashboards.queries import Metrics, failure_ratio, requests
from zope_exporter.app.declarations import declared_metrics

GOOD = 'zope_http_requests_total{site="a", log="one-access", method="GET", code="200"}'
ERRORS = 'zope_http_requests_total{site="a", log="one-access", method="GET", code="500"}'
COMPLETE = 'zope_access_log_complete{site="a", zope="one"}'
EXCEPTIONS = (
    'zope_event_log_matches_total{site="a", log="one-event", pattern="unhandled_exception"}'
)
ANSWERED = 'zope_wsgi_responses_total{site="a", zope="one", code="500"}'
OF_TWO = {
    GOOD.replace("one", "two"): "0+120x90",
    ERRORS.replace("one", "two"): "0x90",
    COMPLETE.replace("one", "two"): "1x90",
}
METRICS = Metrics(declared_metrics())
# By what is recorded, and by what is asked for.
RATIO = {
    "rule": 'site:zope_request_errors:ratio_rate1h{job="zope"}',
    "dashboard": filled(failure_ratio(METRICS, window="1h")),
}
REQUESTS = {
    "rule": 'site:zope_requests:rate1h{job="zope"}',
    "dashboard": filled(requests(METRICS, window="1h")),
}
CASES = {
    "a log that lacks errors": ({GOOD: "0+120x90", ERRORS: "0x90", COMPLETE: "0x90"}, None, 2),
    "exceptions that a log which has errors has not": (
        {GOOD: "0+90x90", ERRORS: "0x90", COMPLETE: "1x90", EXCEPTIONS: "0+30x90"},
        0.25,
        2,
    ),
    "one log of two lacks errors": (
        {GOOD: "0+120x90", COMPLETE: "0x90", EXCEPTIONS: "0+120x90", **OF_TWO},
        None,
        6,
    ),
    "the log in front has all": (
        {
            GOOD: "0+90x90",
            COMPLETE: "0x90",
            EXCEPTIONS: "0+30x90",
            GOOD.replace("one-access", "nginx.log"): "0+90x90",
            ERRORS.replace("one-access", "nginx.log"): "0+30x90",
        },
        0.25,
        2,
    ),
    "nothing but an event log": ({EXCEPTIONS: "0+120x90"}, None, None),
    "an agent": (
        {GOOD: "0+120x90", COMPLETE: "0x90", ANSWERED: "0+120x90", EXCEPTIONS: "0+120x90"},
        1,
        2,
    ),
    "a log that lacked errors until the exporter was gone": (
        {GOOD: "0+120x80 stale", ERRORS: "0x80 stale", COMPLETE: "0x80 stale"},
        None,
        2,
    ),
}


def look(expr: str, value: float | None) -> dict[str, Any]:
    """At an hour and a half, rounded: what rate() makes of the edge of its window is no matter."""
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    return {"expr": f"round(sum({expr}), 0.05)", "eval_time": "90m", "exp_samples": samples}


@pytest.mark.parametrize("case", CASES)
def test_what_is_known_of_a_site(case: str, tmp_path: Path) -> None:
    series, ratio, asked_for = CASES[case]
    looks = [look(expr, ratio) for expr in RATIO.values()]
    if "gone" not in case:  # a window that ends without samples
        looks += [look(expr, asked_for) for expr in REQUESTS.values()]
    test = {
        "interval": "1m",
        "input_series": [{"series": of_exporter(s), "values": v} for s, v in series.items()],
        "promql_expr_test": looks,
    }
    rules = str(ALERTS / "rules/zope.yml")
    document = {"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    command = [str(require(tool, "promtool")), "test", "rules", str(tmp_path / "test.yml")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
