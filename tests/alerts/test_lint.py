"""What pint, mixtool and this project ask of rules, over the rules as they are shipped."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from tests.alerts.cases import ALERTS, groups
from tests.support.promql import selectors
from zope_exporter.metric import Metric
from zope_exporter.sidecar import declared_metrics

# As plone.observability 1.2 serves them; every sample also has the label `scope`.
PLONE = tuple(
    Metric(name, "counter" if counted else "gauge", "Of plone.observability.", (*labels, "scope"))
    for name, counted, labels in [
        ("plone_info", False, ("python_version", "zope_version", "plone_version")),
        ("plone_request_errors", True, ("status_code", "auth")),
        ("plone_requests_total", True, ("auth",)),
        ("plone_zodb_connections", False, ("database",)),
        ("plone_zodb_pool_size", False, ("database",)),
        ("plone_zodb_conflicts_total", True, ("retry",)),
    ]
)
UP = Metric("up", "gauge", "Of Prometheus.")
DECLARED = {metric.name: metric for metric in (*declared_metrics(), *PLONE, UP)}
OF_TARGETS = {"job", "instance"}
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
COUNTING = {"rate", "increase", "irate"}
CHANGING = {"deriv", "delta", "predict_linear", "changes"}

GROUPS = groups(ALERTS / "rules/zope.yml") | groups(ALERTS / "rules/plone-observability.yml")
RULES = [rule for group in GROUPS.values() for rule in group["rules"]]
ALERTING = [rule for rule in RULES if "alert" in rule]
RECORDING = [rule for rule in RULES if "record" in rule]


def named(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


def nodes(expr: str) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expr), found.append)
    return found


def every_selector(expr: str) -> Iterator[promql_parser.VectorSelector]:
    return (node for node in nodes(expr) if isinstance(node, promql_parser.VectorSelector))


def labels_of(series: str | None) -> set[str]:
    """The labels a series can have, by its declaration or by the rule that records it."""
    if series is not None and series in DECLARED:
        return {*DECLARED[series].labels, *OF_TARGETS}
    recording = next(rule for rule in RECORDING if rule["record"] == series)
    return set().union(*(labels_of(s.name) for s in every_selector(recording["expr"])))


every_rule = pytest.mark.parametrize("rule", RULES, ids=named)
every_alert = pytest.mark.parametrize("rule", ALERTING, ids=named)


@every_rule
def test_it_asks_for_what_is_declared(rule: dict[str, Any]) -> None:
    recorded = {recording["record"] for recording in RECORDING}
    for selector in every_selector(rule["expr"]):
        assert selector.name in DECLARED.keys() | recorded
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert matched <= labels_of(selector.name), selector.name


@every_rule
def test_labels_it_groups_and_joins_by_exist(rule: dict[str, Any]) -> None:
    known = set().union(*(labels_of(s.name) for s in every_selector(rule["expr"])))
    for node in nodes(rule["expr"]):
        modifier = getattr(node, "modifier", None)
        matching = getattr(modifier, "matching", modifier)
        assert set(getattr(matching, "labels", ())) <= known


@every_rule
def test_every_selector_names_the_job(rule: dict[str, Any]) -> None:
    for selector in every_selector(rule["expr"]):
        assert "job" in {matcher.name for matcher in selector.matchers.matchers}


@every_rule
def test_rates_are_of_counters_and_trends_of_gauges(rule: dict[str, Any]) -> None:
    for series, *functions in selectors(rule["expr"]):
        kind = DECLARED[series].kind if series in DECLARED else "gauge"
        if COUNTING & set(functions[:1]):
            assert kind == "counter", series
        elif kind == "counter":
            pytest.fail(f"the bare value of the counter {series} says nothing")
        if CHANGING & set(functions[:1]):
            assert kind == "gauge", series


@every_rule
def test_ranges_hold_several_samples_at_any_usual_interval(rule: dict[str, Any]) -> None:
    for node in nodes(rule["expr"]):
        if isinstance(node, promql_parser.MatrixSelector):
            assert node.range.total_seconds() >= 300


@every_alert
def test_it_compares(rule: dict[str, Any]) -> None:
    compares = {str(n.op) for n in nodes(rule["expr"]) if isinstance(n, promql_parser.BinaryExpr)}
    calls = {n.func.name for n in nodes(rule["expr"]) if isinstance(n, promql_parser.Call)}
    by_itself = rule["alert"] == "ZopeWatchdog" or "absent" in calls or "unless" in compares
    assert COMPARISONS & compares or by_itself


@every_alert
def test_every_branch_of_an_or_compares(rule: dict[str, Any]) -> None:
    for node in nodes(rule["expr"]):
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "or":
            for side in (node.lhs, node.rhs):
                operators = {
                    str(inner.op)
                    for inner in nodes(str(side))
                    if isinstance(inner, promql_parser.BinaryExpr)
                }
                assert COMPARISONS & operators, str(side)


@every_alert
def test_no_bool_and_no_bare_equality_of_everything(rule: dict[str, Any]) -> None:
    assert " bool " not in rule["expr"]
    assert '=~".*"' not in rule["expr"]


@every_alert
def test_absence_has_to_last(rule: dict[str, Any]) -> None:
    if "absent(" in rule["expr"] or " offset 1h unless" in rule["expr"]:
        assert "for" in rule


@every_alert
def test_names_and_labels(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"(Zope|Plone)([A-Z]+[a-z]+)+([A-Z]+)?", rule["alert"])
    assert len(rule["alert"]) <= 40
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert rule["labels"].keys() <= {"severity", "window"}
    assert "{{" not in "".join(rule["labels"].values()), "a new alert with each value"


@every_alert
def test_annotations(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", annotations["summary"]), "it is the headline of a group"
    assert annotations["description"].endswith(".")
    assert rule["alert"] in annotations["runbook_url"]
    said = set(re.findall(r"\$labels\.([a-z_]+)", annotations["description"]))
    known = set().union(*(labels_of(s.name) for s in every_selector(rule["expr"])), set())
    assert said <= known


@every_alert
def test_a_page_gives_a_passing_thing_time_to_pass(rule: dict[str, Any]) -> None:
    if rule["labels"]["severity"] == "critical":
        assert "for" in rule or "keep_firing_for" in rule


@pytest.mark.parametrize("rule", RECORDING, ids=named)
def test_names_of_recordings(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"(site|zope|database):[a-z_]+:[a-z0-9_]+", rule["record"])
    assert not re.search(r"_total:", rule["record"])


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_groups(group: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z-]{1,40}", group["name"])
    alerts = [rule for rule in group["rules"] if "alert" in rule]
    assert len(alerts) <= 20
    # Those of another group would be a minute late.
    recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
    used = {
        s.name for r in group["rules"] for s in every_selector(r["expr"]) if ":" in (s.name or "")
    }
    assert used <= recorded


def test_no_two_alerts_are_alike() -> None:
    seen = [(rule["alert"], *sorted(rule["labels"].items())) for rule in ALERTING]
    assert len(seen) == len(set(seen))
