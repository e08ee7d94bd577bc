"""Tables: a row for each thing, a column for each number or label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .field_config import FieldConfig, Json
from .no_value import no_value
from .panels import Panel, Query

# Grafana makes no column narrower than 150 pixels unless told so: the last would be out of sight.
_CELLS = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "minWidth": 90}


@dataclass(frozen=True)
class Column:
    """A column of numbers in a table: all columns' queries give series of the same labels.

    `missing` is what a cell says without one, where what the query asks for does not tell.
    """

    title: str
    expr: str
    config: FieldConfig
    missing: str = ""


def table(
    title: str,
    description: str,
    labels: Sequence[str],
    columns: Sequence[Column],
    link: tuple[str, str] | None = None,
    worst_first: str | None = None,
    **more: Any,
) -> Panel:
    """Return a table with a row for each set of values of `labels`.

    `link` is a label and the uid of the dashboard that its cells lead to, `worst_first` the column
    by whose numbers it is sorted, the highest first.
    """
    queries = tuple(Query(column.expr, instant=True, format="table") for column in columns)
    values = {f"Value #{chr(ord('A') + i)}": column.title for i, column in enumerate(columns)}
    if len(columns) == 1:
        values = {"Value": columns[0].title}
    order = {name: index for index, name in enumerate((*labels, *values))}
    organize = {
        "excludeByName": {"Time": True, "job": True},
        "indexByName": order,
        "renameByName": {label: _heading(label) for label in labels} | values,
    }
    overrides = [_column(column) for column in columns]
    if link is not None:
        overrides.append(_linked(*link))
    merge = {"id": "merge", "options": {}}, {"id": "organize", "options": organize}
    more = {"height": 8, "overrides": tuple(overrides), "transformations": merge} | more
    made = _table(title, description, queries, **more)
    if worst_first is None:
        return made
    sorting: Json = {"sortBy": [{"displayName": worst_first, "desc": True}]}
    return replace(made, options=made.options | sorting)


def _column(column: Column) -> Json:
    defaults = column.config.defaults(column.missing or no_value([column.expr]))
    kept = ("unit", "decimals", "min", "max", "thresholds", "mappings", "noValue")
    properties = [{"id": key, "value": defaults[key]} for key in kept if key in defaults]
    if column.config.steps or column.config.names:
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _heading(label: str) -> str:
    return label.capitalize().replace("_", " ")


def _linked(label: str, uid: str) -> Json:
    # The site of this host, not its namesakes.
    chosen = f"var-{label}=${{__value.raw}}&var-instance=${{__data.fields.Instance}}"
    url = f"/d/{uid}?{chosen}&${{datasource:queryparam}}&${{__url_time_range}}"
    link = {"title": "Show", "url": url, "targetBlank": False}
    return {
        "matcher": {"id": "byName", "options": _heading(label)},
        "properties": [{"id": "links", "value": [link]}],
    }


def listing(title: str, description: str, query: str, labels: Sequence[str], **more: Any) -> Panel:
    """Return a table of what an info metric says: its labels, without the value."""
    hidden = {"Time": True, "Value": True, "__name__": True, "job": True}
    organize = {
        "excludeByName": hidden,
        "indexByName": {name: index for index, name in enumerate(labels)},
        "renameByName": {label: _heading(label) for label in labels},
    }
    queries = (Query(query, instant=True, format="table"),)
    more = {"height": 6, "transformations": ({"id": "organize", "options": organize},)} | more
    return _table(title, description, queries, **more)


def _table(title: str, description: str, queries: tuple[Query, ...], **more: Any) -> Panel:
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    more = {"width": 24} | more
    string = FieldConfig("string")
    return Panel(
        "table", title, description, queries, string, options=options, custom=_CELLS, **more
    )
