"""The rules as they are shipped, and that the linter would find what may be wrong with others."""

import re
from typing import Any

import promql_parser
import pytest

from tests.alerts.cases import ALERTS, groups
from tests.alerts.lint import Linter

GROUPS = groups(ALERTS / "rules/zope.yml") | groups(ALERTS / "rules/plone-observability.yml")
RULES = [rule for group in GROUPS.values() for rule in group["rules"]]
LINTER = Linter(RULES)

GOOD: dict[str, Any] = {
    "alert": "ZopeThingWrong",
    "expr": 'zope_ping_up{job="zope"} == 0',
    "for": "5m",
    "labels": {"severity": "warning"},
    "annotations": {
        "summary": "A thing is wrong.",
        "description": "{{ $labels.target }} is wrong.",
        "runbook_url": "http://localhost/runbooks/ZopeThingWrong",
        "status_url": "http://localhost/",
    },
}


def named(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_what_is_shipped(rule: dict[str, Any]) -> None:
    assert LINTER.complaints(rule) == []


def test_what_lasts_is_not_said_to_last_longer_than_it_was_seen() -> None:
    """Between two scrapes nobody knows whether a request or a commit goes on."""
    passing = re.compile(r"time\(\) - zope_(request|connection|zeo)_")
    assert [named(rule) for rule in RULES if passing.search(rule["expr"])] == []


def test_a_good_one_passes() -> None:
    assert LINTER.complaints(GOOD) == []


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("up{", "no PromQL"),
        ('rate(zope_ping_up{job="zope"}) > 0', "no PromQL"),
        ('zope_pong_up{job="zope"} == 0', "zope_pong_up is no metric"),
        ('zope_ping_up{job="zope", zope="one"} == 0', "has no label zope"),
        ("zope_ping_up == 0", "of any job"),
        ('sum by (zope) (zope_ping_up{job="zope"}) == 0', "the label zope to group or join by"),
        (
            'zope_ping_up{job="zope"} == 0 and on (database) up{job="zope"} == 1',
            "the label database to group or join by",
        ),
        ('rate(zope_ping_up{job="zope"}[5m]) > 0', "which is no counter"),
        ('deriv(zope_http_requests_total{job="zope"}[5m]) > 0', "a trend of the counter"),
        ('zope_http_requests_total{job="zope"} > 9', "the bare value of the counter"),
        ('rate(zope_http_requests_total{job="zope"}[1m]) > 0', "holds too few samples"),
        ('zope_ping_up{job="zope"}', "always fires"),
        ('zope_ping_up{job="zope"} == 0 or zope_ping_up{job="zope"}', "one side of `or`"),
        ('zope_ping_up{job="zope"} == bool 0', "bool makes it fire"),
        ('zope_process_up{job="zope"} == 0', "the description speaks of target"),
    ],
)
def test_expressions_it_complains_of(expr: str, complaint: str) -> None:
    assert complaint in "\n".join(LINTER.complaints({**GOOD, "expr": expr}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"alert": "thing_wrong"}, "its name is not"),
        ({"alert": "Zope" + "Thing" * 8}, "its name is not"),
        ({"labels": {"severity": "page"}}, "its severity is none of"),
        ({"labels": {"severity": "info", "team": "web"}}, "it gives the labels ['team']"),
        ({"labels": {"severity": "info", "window": "{{ $value }}"}}, "a value in a label"),
        ({"labels": {"severity": "critical"}, "for": None}, "no time to pass"),
        ({"expr": 'absent(up{job="zope"})', "for": None}, "absence has to last"),
        ({"annotations": {"summary": "A thing."}}, "it needs summary, description, runbook_url"),
        (
            {"annotations": {**GOOD["annotations"], "subject": "Wrong."}},
            "its subject is a sentence",
        ),
        (
            {"annotations": {**GOOD["annotations"], "summary": "It is {{ $value }}."}},
            "one sentence without values",
        ),
        ({"annotations": {**GOOD["annotations"], "description": "wrong"}}, "is no sentence"),
        ({"annotations": {**GOOD["annotations"], "runbook_url": "/runbooks/ZopeOther"}}, "another"),
    ],
)
def test_what_else_it_complains_of(changes: dict[str, Any], complaint: str) -> None:
    rule = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    assert complaint in "\n".join(LINTER.complaints(rule))


@pytest.mark.parametrize("name", ["busy", "site:zope_requests_total:rate5m"])
def test_names_of_recordings_it_complains_of(name: str) -> None:
    assert LINTER.complaints({"record": name, "expr": 'up{job="zope"}'})


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_groups(group: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z-]{1,40}", group["name"])
    assert len([rule for rule in group["rules"] if "alert" in rule]) <= 20
    # What another group records would be a minute late.
    recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
    for rule in group["rules"]:
        assert {name for name in names(rule["expr"]) if ":" in name} <= recorded


def names(expr: str) -> set[str]:
    found: set[str] = set()

    def look(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name or "")

    promql_parser.walk(promql_parser.parse(expr), look)
    return found


def test_no_two_alerts_are_alike() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    seen = [(rule["alert"], *sorted(rule["labels"].items())) for rule in alerts]
    assert len(seen) == len(set(seen))
