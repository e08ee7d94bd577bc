"""The alerting rules, made from their source and the thresholds."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from .thresholds import Thresholds, fill, read_thresholds

HEADER = "# Made by `zope-exporter rules` from source/ and thresholds.yml: change those.\n"
OPTIONAL = "plone-observability"  # understands what another package exports
ORDER = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as such, and repeats instead of referring."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

KUSTOMIZATION = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "resources": ["prometheusrule.yml"],
}


def generate(alerts: Path, thresholds: Path | None = None) -> dict[str, str]:
    """Return the rule files by path below `alerts`, made with the thresholds of a file or ours.

    Raises ThresholdError if the thresholds cannot be used.
    """
    values = {**_phrases(alerts), **read_thresholds(alerts / "thresholds.yml", thresholds)}
    sources = sorted((alerts / "source").glob("*.yml"))
    groups = list(_groups((path for path in sources if path.stem != OPTIONAL), values))
    optional = list(_groups((path for path in sources if path.stem == OPTIONAL), values))
    return {
        "rules/zope.yml": _dump({"groups": groups}),
        f"rules/{OPTIONAL}.yml": _dump({"groups": optional}),
        "kubernetes/prometheusrule.yml": _dump(_prometheus_rule(groups)),
        "kubernetes/kustomization.yaml": _dump(KUSTOMIZATION),
    }


def _phrases(alerts: Path) -> Thresholds:
    phrases: dict[str, str] = yaml.safe_load((alerts / "phrases.yml").read_text())
    return phrases


def _groups(sources: Iterable[Path], thresholds: Thresholds) -> Iterator[dict[str, Any]]:
    for path in sources:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield {"name": group["name"], "rules": [_rule(r, thresholds) for r in group["rules"]]}


def _rule(source: dict[str, Any], thresholds: Thresholds) -> dict[str, Any]:
    rule: dict[str, Any] = _filled(source, thresholds)
    if "alert" in rule:
        own = {**thresholds, "alert": rule["alert"]}
        names = ["runbook_url", "status_url", *(["dashboard_url"] if own["grafana_url"] else [])]
        links = {name: _nested(own[name], own) for name in names}
        rule["annotations"] = {**rule["annotations"], **links}
    return {key: rule[key] for key in ORDER if key in rule}


def _nested(text: str, thresholds: Thresholds) -> str:
    """Fill a text, and what it was filled with."""
    return fill(fill(text, thresholds), thresholds)


def _filled(source: Any, thresholds: Thresholds) -> Any:
    if isinstance(source, dict):
        return {key: _filled(value, thresholds) for key, value in source.items()}
    return fill(source, thresholds) if isinstance(source, str) else source


def _prometheus_rule(groups: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "zope", "labels": {"app.kubernetes.io/name": "zope-exporter"}},
        "spec": {"groups": groups},
    }


def _dump(document: dict[str, Any]) -> str:
    return HEADER + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True
    )
