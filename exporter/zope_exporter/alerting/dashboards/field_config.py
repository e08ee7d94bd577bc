"""How values look on every dashboard: units, colours, thresholds (those the alerts fire at)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .no_value import NO_DATA

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
# Of what is not known: neither well nor ill.
GREY = "#8e8e8e"

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """From `value` on, in the unit of the panel, the colour is `color`."""

    value: float
    color: str


@dataclass(frozen=True)
class FieldConfig:
    """How values are shown: unit as Grafana calls it, thresholds from low to high, names of values.

    `base` is the colour below the first step. `names` gives single values a text and a colour.
    """

    unit: str
    steps: tuple[Step, ...] = ()
    base: str = BLUE
    names: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None

    def defaults(self, no_value: str = NO_DATA) -> Json:
        """Return what this is in a panel's field configuration; `no_value` says what is missing."""
        defaults: Json = {
            "unit": self.unit,
            "noValue": no_value,
            "thresholds": {
                "mode": "absolute",
                "steps": [
                    {"color": self.base, "value": None},
                    *({"color": step.color, "value": step.value} for step in self.steps),
                ],
            },
            "mappings": self.mappings(no_value),
        }
        known = {"decimals": self.decimals, "min": self.minimum, "max": self.maximum}
        return defaults | {key: value for key, value in known.items() if value is not None}

    def mappings(self, no_value: str = NO_DATA) -> list[Json]:
        """Return the names of values, that of a missing one among them: without it, it would have
        the colour of the lowest step."""
        nothing = {"match": "null+nan", "result": {"text": no_value, "color": GREY, "index": 99}}
        found: list[Json] = [{"type": "special", "options": nothing}]
        if self.names:
            options = {
                f"{value:.12g}": {"text": text, "color": color, "index": index}
                for index, (value, (text, color)) in enumerate(self.names.items())
            }
            found.insert(0, {"type": "value", "options": options})
        return found


YES_NO = {1.0: ("yes", GREEN), 0.0: ("no", RED)}
UP_DOWN = {1.0: ("up", GREEN), 0.0: ("down", RED)}
THERE = {1.0: ("there", GREEN), 0.0: ("missing", RED)}
# In the place of an age: what has never been, which is worse than any age.
NEVER = 999_999_999.0
NEVER_MADE = {NEVER: ("never made", RED)}
ILL_IF_SET = {0.0: ("no", GREEN), 1.0: ("yes", RED)}

# Counts are told to the last: in "short" 1,500 objects and 2,400 are both 2 K without decimals.
COUNT = FieldConfig("locale", decimals=0)
BYTES = FieldConfig("bytes")
BYTES_PER_SECOND = FieldConfig("Bps")
SECONDS = FieldConfig("s")
PER_SECOND = FieldConfig("ops")
REQUESTS = FieldConfig("reqps")
RATIO = FieldConfig("percentunit", minimum=0)
AGO = FieldConfig("dateTimeFromNow")
PROBLEMS = FieldConfig("locale", (Step(1, RED),), base=GREEN, decimals=0)
UP = FieldConfig("short", (Step(1, GREEN),), base=RED, names=UP_DOWN)
PRESENT = FieldConfig("short", (Step(1, GREEN),), base=RED, names=THERE)
SUCCESS = FieldConfig("short", (Step(1, GREEN),), base=RED, names=YES_NO)
SET = FieldConfig("short", (Step(1, RED),), base=GREEN, names=ILL_IF_SET)
RUNNING = FieldConfig(
    "short", (Step(1, BLUE),), base=GREY, names={0.0: ("no", GREY), 1.0: ("yes", BLUE)}
)


def rising(unit: str, warning: float, critical: float | None = None, **more: float) -> FieldConfig:
    """Return the configuration of what gets worse as it grows."""
    if critical is None:
        steps = [Step(warning, YELLOW)]
    else:  # Grafana wants them in order, whatever somebody has made of the thresholds
        steps = [Step(min(warning, critical), ORANGE), Step(critical, RED)]
    return FieldConfig(unit, tuple(steps), base=GREEN, **more)  # type: ignore[arg-type]  # minimum, maximum


# As PROBLEMS, of what nobody has to get up for.
FAULTS = rising("locale", 1, decimals=0)


def falling(unit: str, critical: float, warning: float, **more: float) -> FieldConfig:
    """Return the configuration of what gets worse as it shrinks."""
    steps = (Step(critical, ORANGE), Step(max(warning, critical), GREEN))
    return FieldConfig(unit, steps, base=RED, **more)  # type: ignore[arg-type]  # minimum, maximum


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


def overrides(legends: Sequence[str]) -> tuple[Json, ...]:
    """Return those for lines with these legends: what is wrong is red, what is a limit dashed.

    So their look follows from what they stand for, not from their place in the legend.
    """
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
