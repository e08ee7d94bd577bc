"""Panels in Grafana's terms; what all of them have in common is said once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
# Of what is not known: neither well nor ill.
GREY = "#8e8e8e"

Json = dict[str, Any]
Kind = Literal["bargauge", "heatmap", "stat", "state-timeline", "table", "timeseries"]


@dataclass(frozen=True)
class Query:
    """One PromQL expression; `legend` names its series. An instant one asks for the end only."""

    expr: str
    legend: str = ""
    instant: bool = False
    format: Literal["heatmap", "table", "time_series"] = "time_series"


@dataclass(frozen=True)
class Step:
    """From `value` on, in the unit of the panel, the colour is `color`."""

    value: float
    color: str


@dataclass(frozen=True)
class Look:
    """How values are shown: unit as Grafana calls it, thresholds from low to high, names of values.

    `base` is the colour below the first step. `names` gives single values a text and a colour.
    """

    unit: str
    steps: tuple[Step, ...] = ()
    base: str = BLUE
    names: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None

    def defaults(self) -> Json:
        """Return what this is in a panel's field configuration."""
        defaults: Json = {
            "unit": self.unit,
            "noValue": "no data",
            "thresholds": {
                "mode": "absolute",
                "steps": [
                    {"color": self.base, "value": None},
                    *({"color": step.color, "value": step.value} for step in self.steps),
                ],
            },
            "mappings": self.mappings(),
        }
        known = {"decimals": self.decimals, "min": self.minimum, "max": self.maximum}
        return defaults | {key: value for key, value in known.items() if value is not None}

    def mappings(self) -> list[Json]:
        """Return the names of values, that of a missing one among them: without it, it would have
        the colour of the lowest step."""
        nothing = {"match": "null+nan", "result": {"text": "no data", "color": GREY, "index": 99}}
        found: list[Json] = [{"type": "special", "options": nothing}]
        if self.names:
            options = {
                f"{value:g}": {"text": text, "color": color, "index": index}
                for index, (value, (text, color)) in enumerate(self.names.items())
            }
            found.insert(0, {"type": "value", "options": options})
        return found


@dataclass(frozen=True)
class Panel:
    """One panel, without its place on the page; width in 24ths of the page, height in rows."""

    kind: Kind
    title: str
    description: str
    queries: tuple[Query, ...]
    look: Look
    width: int
    height: int
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    color: str = "thresholds"
    overrides: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()
    runbooks: tuple[str, ...] = ()

    def json(self, number: int, x: int, y: int, runbook: str) -> Json:
        """Return the panel as Classic JSON, `number` its id, its upper left corner at x, y.

        In its corner are links to the runbooks of the alerts in `runbooks`.
        """
        defaults = self.look.defaults() | {"color": {"mode": self.color}, "custom": self.custom}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [_target(query, index) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "options": self.options,
            "transformations": list(self.transformations),
            "links": [_link(alert, runbook) for alert in self.runbooks],
        }


def _target(query: Query, index: int) -> Json:
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "format": query.format,
        "instant": query.instant,
        "range": not query.instant,
    }


def _link(alert: str, runbook: str) -> Json:
    return {
        "title": f"Runbook {alert}",
        "url": runbook.replace("<alert>", alert),
        "targetBlank": True,
    }
