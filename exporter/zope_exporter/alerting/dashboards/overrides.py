"""Lines whose look follows from what they stand for, not from their place in the legend."""

from collections.abc import Iterable, Iterator

from .panel import BLUE, GREEN, ORANGE, RED, YELLOW, Json, Query

# By what a legend ends with: ends of names, and the colour of the lines that have them.
_COLORS = {
    "{{code}}": {r"[123]\d\d": GREEN, r"4\d\d": ORANGE, r"5\d\d": RED},
    "{{severity}}": {"DEBUG|INFO": BLUE, "WARNING": YELLOW, "ERROR": ORANGE, "CRITICAL": RED},
    "{{outcome}}": {"failed": RED},
    "failures": {"failures": RED},
    "leaked": {"leaked": RED},
}
_LIMITS = ("limit", "allowed", "at most", "target of each")
_DASHED: list[Json] = [
    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
    {"id": "custom.fillOpacity", "value": 0},
]


def meanings(queries: Iterable[Query]) -> tuple[Json, ...]:
    """Return the overrides for these lines: what is wrong is red, what is a limit is dashed."""
    legends = [query.legend for query in queries]
    return (*_colored(legends), *_limited(legends))


def _colored(legends: Iterable[str]) -> Iterator[Json]:
    for legend in legends:
        for end, colors in _COLORS.items():
            if legend.endswith(end):
                for name, color in colors.items():
                    # Shades, so that two sites' lines can be told apart.
                    mode = {"mode": "shades", "fixedColor": color}
                    yield _ending_with(name, [{"id": "color", "value": mode}])


def _limited(legends: Iterable[str]) -> Iterator[Json]:
    for limit in _LIMITS:
        if any(legend.endswith(limit) for legend in legends):
            yield _ending_with(limit, _DASHED)


def _ending_with(name: str, properties: list[Json]) -> Json:
    matcher = {"id": "byRegexp", "options": f"/(^| )({name})$/"}
    return {"matcher": matcher, "properties": properties}
