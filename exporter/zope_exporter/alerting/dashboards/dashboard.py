"""A dashboard in Grafana's Classic JSON: the page around the panels."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .field_config import BLUE, GREEN, ORANGE, Json
from .panels import DATASOURCE, Panel
from .queries import OF_TARGET, SITE, VARIABLES, Metrics

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
            "templating": {"list": list(_variables(metrics, self.variables, self.single))},
            "annotations": {"list": list(_annotations(metrics))},
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


# Of each variable, a metric that is there whatever else is not.
_SOURCES = {
    **dict.fromkeys(OF_TARGET, "zope_exporter_info"),
    "site": "zope_process_up",
    "zope": "zope_process_up",
    "database": "zope_filestorage_size_bytes",
}


def _variables(metrics: Metrics, shown: Collection[str], single: Collection[str]) -> Iterator[Json]:
    """Yield the data source and what tells exporters apart, then site, zope and database, of which
    only those in `shown` are seen.

    Those in `single` are chosen one at a time.
    """
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
    }
    for name in OF_TARGET:
        yield _variable(name, metrics, shown=True, single=False)
    for name in VARIABLES:
        yield _variable(name, metrics, name in shown, name in single)
    yield _exporter(metrics)


def _variable(name: str, metrics: Metrics, shown: bool, single: bool) -> Json:
    known = (*OF_TARGET, "site")  # each is narrowed by what stands before it
    narrower = known[: known.index(name)] if name in known else known
    matchers = ", ".join(f'{label}=~"${label}"' for label in narrower)
    metric = metrics.declaration(_SOURCES[name]).name
    query = f"label_values({metric}{{{matchers}}}, {name})"
    every: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": f"variable-{name}"},
        "current": {} if single else every,
        "hide": 0 if shown else 2,
        "includeAll": not single,
        # Without it, "All" of a variable that finds nothing would match nothing.
        "allValue": None if single else ".*",
        "multi": not single,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": not shown,
        "sort": 1,
    }


def _exporter(metrics: Metrics) -> Json:
    # Runbooks are served by every exporter, and Prometheus knows where these are.
    query = f"label_values({metrics('zope_exporter_info')}, instance)"
    return {
        "name": "exporter",
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "variable-exporter"},
        "current": {},
        "hide": 2,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": True,
        "sort": 1,
    }


def _annotations(metrics: Metrics) -> Iterator[Json]:
    """Yield what is marked in every graph."""

    def at_their_time(timestamp: str) -> Json:
        # In milliseconds: of an event Grafana marks the time that is the value, not the time at
        # which somebody looked.
        return {"expr": f"{metrics(timestamp)} * 1000", "useValueForTime": True}

    def annotation(name: str, color: str, asked: Json, text: str) -> Json:
        return {
            "name": name,
            "datasource": DATASOURCE,
            "enable": True,
            "hide": False,
            "iconColor": color,
            "titleFormat": name,
            "textFormat": text,
            "step": "60s",
            **asked,
        }

    started = at_their_time("zope_process_start_time_seconds")
    yield annotation("Restarts", ORANGE, started, "{{instance}} {{site}} {{zope}}")
    packed = at_their_time("zope_filestorage_last_pack_timestamp_seconds")
    yield annotation("Packs", BLUE, packed, "{{instance}} {{site}} {{database}}")
    backed_up = at_their_time("zope_backup_last_success_timestamp_seconds")
    yield annotation("Backups", GREEN, backed_up, "{{instance}} {{site}} {{database}}")
    config = metrics("zope_instance_config_info")
    before = f"{config} offset 5m"
    new = f"{config} unless on ({SITE}, zope, config_hash) {before}"
    changed = f"({new}) and on ({SITE}, zope) ({before})"
    yield annotation(
        "Deployments",
        "purple",
        {"expr": changed},
        "{{instance}} {{site}} {{zope}}: other configuration",
    )
