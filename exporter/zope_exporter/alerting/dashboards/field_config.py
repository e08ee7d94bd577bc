"""How values look on every dashboard: the thresholds are those the alerts fire at."""

from .panel import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, Look, Step

YES_NO = {1.0: ("yes", GREEN), 0.0: ("no", RED)}
UP_DOWN = {1.0: ("up", GREEN), 0.0: ("down", RED)}
ILL_IF_SET = {0.0: ("no", GREEN), 1.0: ("yes", RED)}

COUNT = Look("short", decimals=0)
BYTES = Look("bytes")
BYTES_PER_SECOND = Look("Bps")
SECONDS = Look("s")
PER_SECOND = Look("ops")
REQUESTS = Look("reqps")
RATIO = Look("percentunit", minimum=0)
AGO = Look("dateTimeFromNow")
PROBLEMS = Look("short", (Step(1, RED),), base=GREEN, decimals=0)
UP = Look("short", (Step(1, GREEN),), base=RED, names=UP_DOWN)
SUCCESS = Look("short", (Step(1, GREEN),), base=RED, names=YES_NO)
SET = Look("short", (Step(1, RED),), base=GREEN, names=ILL_IF_SET)
RUNNING = Look("short", (Step(1, BLUE),), base=GREY, names={0.0: ("no", GREY), 1.0: ("yes", BLUE)})


def rising(unit: str, warning: float, critical: float | None = None, **more: float) -> Look:
    """Return a look for what gets worse as it grows."""
    if critical is None:
        steps = [Step(warning, YELLOW)]
    else:  # Grafana wants them in order, whatever somebody has made of the thresholds
        steps = [Step(min(warning, critical), ORANGE), Step(critical, RED)]
    return Look(unit, tuple(steps), base=GREEN, **more)  # type: ignore[arg-type]  # minimum, maximum


def falling(unit: str, critical: float, warning: float, **more: float) -> Look:
    """Return a look for what gets worse as it shrinks."""
    steps = (Step(critical, ORANGE), Step(max(warning, critical), GREEN))
    return Look(unit, steps, base=RED, **more)  # type: ignore[arg-type]  # minimum, maximum
