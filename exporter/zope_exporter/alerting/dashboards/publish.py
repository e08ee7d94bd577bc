"""The variant of a dashboard that grafana.com takes."""

from typing import Any

from .panel import DATASOURCE, Json


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
