"""What pint, mixtool and this project ask of rules."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser

from tests.support.monitoring.promql import selectors
from zope_exporter.app.declarations import declared_metrics
from zope_exporter.metrics.metric import Metric

Rule = dict[str, Any]

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
FIRING = Metric("ALERTS", "gauge", "Of Prometheus.", ("alertname", "alertstate", "severity"))
BUCKETS = tuple(
    Metric(f"{metric.name}_bucket", "counter", metric.help, (*metric.labels, "le"))
    for metric in declared_metrics()
    if metric.kind == "histogram"
)
DECLARED = {metric.name: metric for metric in (*declared_metrics(), *BUCKETS, *PLONE, UP, FIRING)}
OF_TARGETS = {"job", "instance"}
OF_ENVIRONMENTS = {"cluster", "environment", "namespace"}  # where there are several
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
COUNTING = {"rate", "increase", "irate"}
ASKING = {"present_over_time"}  # whether there is one, whatever its value
CHANGING = {"deriv", "delta", "predict_linear", "changes"}
SEVERITIES = {"critical", "warning", "info", "none"}
SHORTEST_RANGE = 300  # seconds: several samples at any usual interval


class Linter:
    """Knows the recordings, which other rules may ask for as for metrics."""

    def __init__(self, rules: list[Rule]) -> None:
        self._recordings = {rule["record"]: rule for rule in rules if "record" in rule}

    def complaints(self, rule: Rule) -> list[str]:
        """Return what is wrong with a rule, nothing if all is well."""
        try:
            nodes = list(_nodes(rule["expr"]))
        except ValueError as error:
            return [f"no PromQL: {error}"]
        found = [*self._of_selectors(nodes), *_of_functions(rule["expr"], nodes)]
        if not found:
            found += self._of_joins(nodes)
            found += self._of_alert(rule, nodes) if "alert" in rule else _of_recording(rule)
        return found

    def _of_selectors(self, nodes: list[promql_parser.Expr]) -> Iterator[str]:
        for selector in _selected(nodes):
            if selector.name not in DECLARED.keys() | self._recordings:
                yield f"{selector.name} is no metric"
                continue
            matched = {matcher.name for matcher in selector.matchers.matchers}
            if unknown := matched - self._labels(selector.name):
                yield f"{selector.name} has no label {', '.join(sorted(unknown))}"
            if "job" not in matched:
                yield f"{selector.name} of any job"

    def _of_joins(self, nodes: list[promql_parser.Expr]) -> Iterator[str]:
        known = self._labels_within(nodes) | OF_ENVIRONMENTS
        for node in nodes:
            modifier = getattr(node, "modifier", None)
            matching = getattr(modifier, "matching", modifier)
            for label in getattr(matching, "labels", ()):
                if label not in known:
                    yield f"nothing here has the label {label} to group or join by"

    def _of_alert(self, rule: Rule, nodes: list[promql_parser.Expr]) -> Iterator[str]:
        yield from _of_comparison(rule, nodes)
        yield from _of_names(rule)
        if "absent(" in rule["expr"] and "for" not in rule:
            yield "absence has to last"
        if (
            rule["labels"]["severity"] == "critical"
            and not {"for", "keep_firing_for"} & rule.keys()
        ):
            yield "a page gives a passing thing no time to pass"
        yield from _of_annotations(rule["alert"], rule["annotations"])
        said = set(re.findall(r"\$labels\.([a-z_]+)", rule["annotations"].get("description", "")))
        for label in said - self._labels_within(nodes):
            yield f"the description speaks of {label}, which nothing has"

    def _labels_within(self, nodes: list[promql_parser.Expr]) -> set[str]:
        return set().union(*(self._labels(each.name) for each in _selected(nodes)))

    def _labels(self, series: str | None) -> set[str]:
        """The labels a series can have, by its declaration or by the rule that records it."""
        if series in self._recordings:
            return self._labels_within(list(_nodes(self._recordings[series]["expr"])))
        return {*DECLARED[series or ""].labels, *OF_TARGETS}


def _nodes(expr: str) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expr), found.append)
    return found


def _selected(nodes: list[promql_parser.Expr]) -> Iterator[promql_parser.VectorSelector]:
    return (node for node in nodes if isinstance(node, promql_parser.VectorSelector))


def _operators(nodes: list[promql_parser.Expr]) -> set[str]:
    return {str(node.op) for node in nodes if isinstance(node, promql_parser.BinaryExpr)}


def _of_functions(expr: str, nodes: list[promql_parser.Expr]) -> Iterator[str]:
    for series, *functions in selectors(expr):
        kind = DECLARED[series].kind if series in DECLARED else "gauge"
        innermost = set(functions[:1])
        if innermost & COUNTING and kind != "counter":
            yield f"a rate of {series}, which is no counter"
        if innermost & CHANGING and kind == "counter":
            yield f"a trend of the counter {series}"
        if kind == "counter" and not innermost & (COUNTING | ASKING):
            yield f"the bare value of the counter {series} says nothing"
    for node in nodes:
        if isinstance(node, promql_parser.MatrixSelector) and _seconds(node) < SHORTEST_RANGE:
            yield f"{node} holds too few samples"


def _seconds(selector: promql_parser.MatrixSelector) -> float:
    return selector.range.total_seconds()


def _of_comparison(rule: Rule, nodes: list[promql_parser.Expr]) -> Iterator[str]:
    absent = any(isinstance(n, promql_parser.Call) and n.func.name == "absent" for n in nodes)
    always = rule["alert"] == "ZopeWatchdog"
    if not COMPARISONS & _operators(nodes) and not (absent or always or "unless" in rule["expr"]):
        yield "it compares nothing and always fires"
    for node in nodes:
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "or":
            for side in (node.lhs, node.rhs):
                if not COMPARISONS & _operators(_nodes(str(side))):
                    yield f"one side of `or` compares nothing: {side}"
    if " bool " in rule["expr"]:
        yield "bool makes it fire at 0 too"


def _of_names(rule: Rule) -> Iterator[str]:
    if not re.fullmatch(r"(Zope|Plone)([A-Z]+[a-z]+)+", rule["alert"]) or len(rule["alert"]) > 40:
        yield "its name is not ZopeSuchAThing, of at most 40 characters"
    if rule["labels"].get("severity") not in SEVERITIES:
        yield f"its severity is none of {sorted(SEVERITIES)}"
    if unknown := rule["labels"].keys() - {"severity", "window"}:
        yield f"it gives the labels {sorted(unknown)}"
    if "{{" in "".join(rule["labels"].values()):
        yield "a value in a label makes a new alert each time it changes"


def _of_annotations(alert: str, annotations: dict[str, str]) -> Iterator[str]:
    needed = {"summary", "description", "runbook_url", "status_url"}
    if annotations.keys() - {"subject"} != needed:
        yield "it needs summary, description, runbook_url and status_url"
        return
    if not re.fullmatch(r"[A-Z][^{}]*\.", annotations["summary"]):
        yield "its summary, the headline of a group, is one sentence without values"
    if annotations.get("subject", "").endswith("."):
        yield "its subject is a sentence, which the subject of a mail is not"
    if not annotations["description"].endswith("."):
        yield "its description is no sentence"
    if not re.search(rf"/{alert}\b", annotations["runbook_url"]):
        yield "its runbook is another one's"


def _of_recording(rule: Rule) -> Iterator[str]:
    if not re.fullmatch(r"(site|zope|database|log|disk):[a-z_]+:[a-z0-9_]+", rule["record"]):
        yield "its name is not level:metric:operations"
    if "_total:" in rule["record"]:
        yield "what is rated is no total any more"
