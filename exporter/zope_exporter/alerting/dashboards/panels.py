"""The kinds of panels the dashboards are made of, each with the options that serve it best."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .field_config import COUNT, PER_SECOND, FieldConfig, Json, overrides
from .no_value import no_value
from .queries import Metrics

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

Kind = Literal["bargauge", "heatmap", "stat", "state-timeline", "table", "timeseries"]

_QUIET_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
# How far an axis reaches at least, by unit: far enough for trifles to look like trifles.
_TOPS = {
    "Bps": 1024,
    "bytes": 1024,
    "locale": 1,
    "none": 1,
    "ops": 1,
    "percentunit": 1,
    "reqps": 1,
    "s": 0.1,
    "short": 1,
}
_LONG_LEGEND = {
    "displayMode": "table",
    "placement": "right",
    "showLegend": True,
    "calcs": ["max"],
    "sortBy": "Max",
    "sortDesc": True,
}
# Of bars: four scrapes of half a minute.
STEP = "2m"
_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


@dataclass(frozen=True)
class Query:
    """One PromQL expression; `legend` names its series. An instant one asks for the end only."""

    expr: str
    legend: str = ""
    instant: bool = False
    format: Literal["heatmap", "table", "time_series"] = "time_series"


@dataclass(frozen=True)
class Panel:
    """One panel, without its place on the page; width in 24ths of the page, height in rows."""

    kind: Kind
    title: str
    description: str
    queries: tuple[Query, ...]
    config: FieldConfig
    width: int
    height: int
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    color: str = "thresholds"
    overrides: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()
    runbooks: tuple[str, ...] = ()
    interval: str = ""
    missing: str = ""

    def json(self, number: int, x: int, y: int, runbook: str) -> Json:
        """Return the panel as Classic JSON, `number` its id, its upper left corner at x, y.

        In its corner are links to the runbooks of the alerts in `runbooks`. `interval` is the
        shortest step of its graph, and `missing` what it says without data, where what its queries
        ask for does not tell.
        """
        missing = self.missing or no_value(query.expr for query in self.queries)
        defaults = self.config.defaults(missing) | {
            "color": {"mode": self.color},
            "custom": self.custom,
        }
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
            **({"interval": self.interval} if self.interval else {}),
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


def stat(title: str, description: str, query: str, config: FieldConfig, **more: Any) -> Panel:
    """Return one number in its colour: as it is now.

    Of a query over time Grafana would show the last value there was, in green for as long as the
    page goes back, when nobody has known anything since.
    """
    options = {
        "reduceOptions": _LAST,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
    }
    more = {"width": 4, "height": 4} | more
    return Panel(
        "stat", title, description, (Query(query, instant=True),), config, options=options, **more
    )


def series(
    title: str,
    description: str,
    queries: Sequence[Query],
    config: FieldConfig,
    *,
    stacked: bool = False,
    top: float | None = None,
    beside: bool = False,
    **more: Any,
) -> Panel:
    """Return lines over time, their thresholds drawn where there are any.

    The axis reaches up to `top` at least, else to what suits the unit. `beside` puts the legend of
    many lines to the right, with the highest value of each.
    """
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 20 if stacked else 5,
        "showPoints": "auto",  # a value without neighbours is no line
        "spanNulls": False,  # a gap is something that was not known
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if config.steps else "off"},
        "axisSoftMin": 0,
        # Grafana draws nothing but zeros on an axis up to 100, which is 10 000 % of a ratio.
        "axisSoftMax": _TOPS[config.unit] if top is None else top,
    }
    legend = _LONG_LEGEND if beside else _QUIET_LEGEND
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    more = {"width": 8, "height": 8} | more
    return Panel(
        "timeseries",
        title,
        description,
        tuple(queries),
        config,
        options=options,
        custom=custom,
        color="palette-classic",
        overrides=overrides([query.legend for query in queries]),
        **more,
    )


def events(title: str, description: str, queries: Sequence[Query], **more: Any) -> Panel:
    """Return bars over time: how many there were within each step of the graph.

    A single event would be a line of no length. A step is as long as what it counts, so that each
    event is in one bar, and longer than the time between two scrapes.
    """
    panel = series(title, description, queries, COUNT, stacked=True, **more)
    drawn = {"drawStyle": "bars", "fillOpacity": 80, "lineWidth": 0}
    return replace(panel, custom=panel.custom | drawn, interval=STEP)


def states(
    title: str,
    description: str,
    query: Query | Sequence[Query],
    config: FieldConfig,
    *,
    value: str = "never",
    **more: Any,
) -> Panel:
    """Return a bar over time for each series, coloured by its state.

    `value` says whether the bars have the values in writing: "never" or "auto". The legend has the
    names of the values; with thresholds, Grafana would write these there, such as "< 1" and "1+".
    """
    config = replace(config, steps=()) if config.names else config
    options = {
        "mergeValues": True,
        "showValue": value,
        "rowHeight": 0.9,
        "alignValue": "left",
        "legend": _QUIET_LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False}
    more = {"width": 24, "height": 6} | more
    return Panel(
        "state-timeline",
        title,
        description,
        (query,) if isinstance(query, Query) else tuple(query),
        config,
        options=options,
        custom=custom,
        **more,
    )


def series_of(
    m: Metrics, name: str, title: str, legend: str, config: FieldConfig, **more: Any
) -> Panel:
    """Return the lines of one metric as it is, in the exporter's own words."""
    return series(title, m.help(name), [Query(m(name), legend)], config, **more)


def rate_of(
    m: Metrics, name: str, title: str, legend: str, config: FieldConfig = PER_SECOND, **more: Any
) -> Panel:
    """Return the lines of one counter, by the second."""
    return series(title, m.help(name), [Query(m.rate(name), legend)], config, **more)


def events_of(m: Metrics, name: str, title: str, legend: str, **more: Any) -> Panel:
    """Return the bars of one counter: what there was, for nothing needs no bar."""
    return events(title, m.help(name), [Query(f"{m.increase(name)} > 0", legend)], **more)


def states_of(
    m: Metrics, name: str, title: str, legend: str, config: FieldConfig, **more: Any
) -> Panel:
    """Return the states of one metric as it is."""
    return states(title, m.help(name), Query(m(name), legend), config, **more)


def heat(title: str, description: str, buckets: str, **more: Any) -> Panel:
    """Return where the observations of a histogram lie, over time; `buckets` by `le`."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "dark-orange"},
        "yAxis": {"unit": "s", "axisPlacement": "left"},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": False},
        "legend": {"show": True},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
    }
    query = Query(buckets, "{{le}}", format="heatmap")
    more = {"width": 8, "height": 8} | more
    config = FieldConfig("reqps")
    return Panel("heatmap", title, description, (query,), config, options=options, **more)


def bars(title: str, description: str, query: Query, config: FieldConfig, **more: Any) -> Panel:
    """Return a bar for each series, the longest first where the query sorts."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "left",
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
    }
    more = {"width": 8, "height": 8} | more
    return Panel("bargauge", title, description, (query,), config, options=options, **more)
