"""What tests want to know of dashboards in Classic JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zope_exporter.alerting.dashboards.build import documents
from zope_exporter.alerting.thresholds import read_thresholds
from zope_exporter.app.declarations import declared_metrics

GRAFANA = Path(__file__).parents[3] / "grafana"
THRESHOLDS = GRAFANA.parent / "alerts/thresholds.yml"

Json = dict[str, Any]


def load() -> list[Json]:
    """All dashboards of the repository, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").iterdir())]


def made(**changed: str) -> list[Json]:
    """All dashboards as they are with some thresholds changed."""
    return documents(declared_metrics(), {**read_thresholds(THRESHOLDS), **changed})


def panels(dashboard: Json) -> list[Json]:
    """The panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def steps(dashboard: Json) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Where values change their colour, by the title of the panel, or of panel and column."""
    for panel in panels(dashboard):
        yield panel["title"], _values(panel["fieldConfig"]["defaults"]["thresholds"])
        for override in panel["fieldConfig"]["overrides"]:
            for item in override["properties"]:
                if item["id"] == "thresholds":
                    title = f"{panel['title']}: {override['matcher']['options']}"
                    yield title, _values(item["value"])


def _values(thresholds: Json) -> tuple[float, ...]:
    return tuple(step["value"] for step in thresholds["steps"][1:])


def expressions(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Each query, variables and annotations left out, with the title of its panel."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled(expr: str, **chosen: str) -> str:
    """A query as Grafana would send it; what is not `chosen` is All."""

    def value(match: re.Match[str]) -> str:
        return {"__rate_interval": "5m", "__interval": "1m", **chosen}.get(match[1], ".*")

    return re.sub(r"\$([a-z_]\w*)", value, expr)  # `$1` is none
