"""All dashboards, as the text of their files."""

import json
from collections.abc import Mapping
from typing import Any

from zope_exporter.sidecar import declared_metrics

from .backup import backup
from .cache import cache
from .dashboard import Dashboard
from .exporter import exporter
from .fleet import fleet
from .instance import instance
from .limits import Limits, load_limits
from .logs import logs
from .metrics import Metrics
from .overview import overview
from .publish import for_grafana_com
from .slo import slo
from .storage import storage
from .zeo import zeo


def dashboards(metrics: Metrics, limits: Limits) -> list[Dashboard]:
    """Return all dashboards; raises UndeclaredError if one asks for what is not declared."""
    narrowed = (fleet, overview, instance, storage, backup, cache, zeo, slo, logs)
    return [*(make(metrics, limits) for make in narrowed), exporter(metrics)]


def files() -> dict[str, str]:
    """Return what is generated, by path below this directory."""
    metrics, limits = Metrics(declared_metrics()), load_limits()
    found: dict[str, str] = {}
    for dashboard in dashboards(metrics, limits):
        made = dashboard.json(metrics)
        found[f"dashboards/{dashboard.uid}.json"] = _text(made)
        found[f"grafana.com/{dashboard.uid}.json"] = _text(for_grafana_com(made))
    return found


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
