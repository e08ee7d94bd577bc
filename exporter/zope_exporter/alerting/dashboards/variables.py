"""What a dashboard can be narrowed by, at the top of the page."""

from collections.abc import Collection, Iterator

from .metrics import Metrics
from .panel import DATASOURCE, Json

# Of each variable, a metric that is there whatever else is not.
_SOURCES = {
    "site": "zope_process_up",
    "zope": "zope_process_up",
    "database": "zope_filestorage_size_bytes",
}


def variables(metrics: Metrics, shown: Collection[str], single: Collection[str]) -> Iterator[Json]:
    """Yield the data source, then site, zope and database, of which only those in `shown` are seen.

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
    for name in ("site", "zope", "database"):
        yield _variable(name, metrics, name in shown, name in single)
    yield _exporter(metrics)


def _variable(name: str, metrics: Metrics, shown: bool, single: bool) -> Json:
    narrower = {"site": [], "zope": ["site"], "database": ["site"]}[name]
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
    query = f"label_values({metrics.declaration('zope_exporter_info').name}, instance)"
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
