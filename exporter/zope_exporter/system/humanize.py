"""Numbers, and many things, as people say them."""

import re
from collections.abc import Iterable

FEW = 5
LONGEST_NAME = 200
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def size(count: float) -> str:
    """Return a number of bytes with three digits and a decimal unit: 61.2 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def duration(seconds: float) -> str:
    """Return a time span in its largest fitting unit: 3 h; what lies in the future is negative."""
    for length, unit in _STEPS:
        if abs(seconds) >= length:
            return f"{seconds / length:.0f} {unit}"
    return "0 s"


def short(seconds: float) -> str:
    """Return a short time with what matters of it: 340 ms, 2.5 s; only what took none is 0."""
    if 0 < seconds < 0.0005:
        return "<1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def seconds(text: str) -> float | None:
    """Return the length of a time span such as 500ms, 10m, 26h or 7d; None if it is none."""
    match = _SPAN.fullmatch(text)
    return float(match[1]) * _UNITS[match[2]] if match else None


def few(texts: Iterable[object], between: str = ", ") -> str:
    """Return the first of some texts, and how many more there are: a, b and 3 more."""
    every = [str(text) for text in texts]
    shown, more = between.join(every[:FEW]), len(every) - FEW
    if more <= 0:
        return shown
    return f"{shown}{'' if between == ', ' else between.rstrip()} and {more} more"


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text of somebody else's for a terminal or a label: cut off, nothing unprintable.

    What would move the cursor or turn the line around is written as Python writes it: \\x1b.
    """
    text = text[: longest + 1]
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
        )
    return text if len(text) <= longest else text[: longest - 1] + "…"
