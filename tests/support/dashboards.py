"""What tests want to know of dashboards in Classic JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "grafana"

Json = dict[str, Any]


def load(directory: str = "dashboards") -> list[Json]:
    """All dashboards of a directory, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted((GRAFANA / directory).glob("*.json"))]


def panels(dashboard: Json) -> list[Json]:
    """The panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Each query, variables and annotations left out, with the title of its panel."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled(expr: str, **chosen: str) -> str:
    """A query as Grafana would send it; what is not `chosen` is All."""

    def value(match: re.Match[str]) -> str:
        return {"__rate_interval": "5m", "__interval": "1m", **chosen}.get(match[1], ".*")

    return re.sub(r"\$(\w+)", value, expr)
