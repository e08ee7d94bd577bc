"""A dashboard in Grafana's Classic JSON: the page around the panels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .annotations import annotations
from .metrics import Metrics
from .panel import Json, Panel
from .variables import variables

# What every Grafana from 10 to 13 reads, from files and by hand.
SCHEMA_VERSION = 39
TAG = "zope"
COLUMNS = 24


@dataclass(frozen=True)
class Row:
    """Panels under a heading, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """One page. `variables` are those of site, zope and database that it can be narrowed by; those
    in `single` are chosen one at a time."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[str, ...] = ("site",)
    single: tuple[str, ...] = ()
    since: str = "now-6h"

    @property
    def panels(self) -> list[Panel]:
        """All panels, row by row."""
        return [panel for row in self.rows for panel in row.panels]

    def json(self, metrics: Metrics, runbook: str) -> Json:
        """Return the dashboard as Classic JSON; `runbook` is the address of `<alert>`'s."""
        return {
            "uid": self.uid,
            "id": None,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "1m",
            "time": {"from": self.since, "to": "now"},
            "timezone": "browser",
            "weekStart": "",
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "templating": {"list": list(variables(metrics, self.variables, self.single))},
            "annotations": {"list": list(annotations(metrics))},
            "links": [_other_dashboards()],
            "panels": list(_laid_out(self.rows, runbook)),
        }


def _other_dashboards() -> Json:
    return {
        "title": "Zope",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def _laid_out(rows: Sequence[Row], runbook: str) -> Iterator[Json]:
    number = y = 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        }
        y += 1
        for line in _lines(row.panels):
            x = 0
            for panel in line:
                number += 1
                yield panel.json(number, x, y, runbook)
                x += panel.width
            y += max(panel.height for panel in line)


def _lines(panels: Iterable[Panel]) -> Iterator[list[Panel]]:
    line: list[Panel] = []
    for panel in panels:
        if sum(other.width for other in line) + panel.width > COLUMNS:
            yield line
            line = []
        line.append(panel)
    if line:
        yield line
