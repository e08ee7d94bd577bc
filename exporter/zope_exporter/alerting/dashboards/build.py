"""All dashboards, as documents and as the text of their files."""

import json
from collections.abc import Iterable

from zope_exporter.alerting.rules.thresholds import Thresholds
from zope_exporter.metrics.metric import Metric

from .backup import backup
from .cache import cache
from .dashboard import Dashboard
from .exporter import exporter
from .fleet import fleet
from .instance import instance
from .logs import logs
from .metrics import Metrics
from .overview import overview
from .panel import Json
from .runbooks import runbook_address
from .slo import slo
from .storage import storage
from .thresholds import Limits, limits_of
from .zeo import zeo


def dashboards(metrics: Metrics, limits: Limits) -> list[Dashboard]:
    """Return all dashboards; raises UndeclaredError if one asks for what is not declared."""
    every = (fleet, overview, instance, storage, backup, cache, zeo, slo, logs, exporter)
    return [make(metrics, limits) for make in every]


def documents(declared: Iterable[Metric], thresholds: Thresholds) -> list[Json]:
    """Return all dashboards as Grafana provisions and imports them."""
    metrics = Metrics(declared)
    address = runbook_address(thresholds)
    made = dashboards(metrics, limits_of(thresholds))
    return [dashboard.json(metrics, address) for dashboard in made]


def as_files(dashboards: Iterable[Json]) -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    return {
        f"{dashboard['uid']}.json": json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
        for dashboard in dashboards
    }
