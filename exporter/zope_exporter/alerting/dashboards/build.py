"""All dashboards: as Grafana provisions them, as grafana.com takes them, as the text of files."""

import json
from collections.abc import Iterable
from typing import Any

from zope_exporter.alerting.thresholds import Limits, Thresholds, limits_of
from zope_exporter.metrics.metric import Metric

from .backup import backup
from .cache import cache
from .capacity import capacity
from .dashboard import Dashboard
from .exporter import exporter
from .field_config import Json
from .fleet import fleet
from .instance import instance
from .logs import logs
from .overview import overview
from .panels import DATASOURCE
from .plone import plone
from .queries import Metrics
from .slo import slo
from .storage import storage
from .zeo import zeo


def dashboards(metrics: Metrics, limits: Limits) -> list[Dashboard]:
    """Return all dashboards; raises UndeclaredError if one asks for what is not declared."""
    of_sites = fleet, overview, instance, storage, backup, cache, capacity
    every = (*of_sites, zeo, plone, slo, logs, exporter)
    return [make(metrics, limits) for make in every]


def documents(declared: Iterable[Metric], thresholds: Thresholds) -> list[Json]:
    """Return all dashboards as Grafana provisions and imports them."""
    metrics = Metrics(declared)
    address = _runbook_address(thresholds)
    made = dashboards(metrics, limits_of(thresholds))
    return [dashboard.json(metrics, address) for dashboard in made]


def as_files(dashboards: Iterable[Json]) -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    return {
        f"{dashboard['uid']}.json": json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
        for dashboard in dashboards
    }


def for_grafana_com(dashboard: Json) -> dict[str, Any]:
    """Return the variant of a dashboard that grafana.com takes.

    There a data source is an input that is asked for at the import, and what the dashboard needs of
    Grafana has to be listed; from files, such a dashboard would find no data source.
    """
    kinds = sorted({panel["type"] for panel in dashboard["panels"]} - {"row"})
    inputs = {
        "name": "DS_PROMETHEUS",
        "label": "Prometheus",
        "description": "",
        "type": "datasource",
        "pluginId": "prometheus",
        "pluginName": "Prometheus",
    }
    requires = [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.0.0"},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *({"type": "panel", "id": kind, "name": kind, "version": ""} for kind in kinds),
    ]
    variables = [v for v in dashboard["templating"]["list"] if v["name"] != "datasource"]
    changed = _with_input(dashboard | {"templating": {"list": variables}})
    return {"__inputs": [inputs], "__requires": requires, **changed}


def _with_input(value: Any) -> Any:
    if value == DATASOURCE:
        return {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    if isinstance(value, dict):
        return {key: _with_input(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_input(item) for item in value]
    if isinstance(value, str):
        return value.replace("&${datasource:queryparam}", "")
    return value


def _runbook_address(thresholds: Thresholds) -> str:
    """Return the address of a runbook, `<alert>` in it for the name of the alert.

    What Prometheus fills in is not filled in by Grafana; that has a variable for the exporters,
    which serve these pages too.
    """
    address = thresholds["runbook_url"]
    if "{{" not in address:
        return address
    scheme = "https" if "https://" in address else "http"
    return f"{scheme}://${{exporter}}/runbooks/<alert>"
