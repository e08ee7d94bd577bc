"""Numbers, and many things, as people say them."""

from collections.abc import Iterable

FEW = 5
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


def few(texts: Iterable[object], between: str = ", ") -> str:
    """Return the first of some texts, and how many more there are: a, b and 3 more."""
    every = [str(text) for text in texts]
    shown, more = between.join(every[:FEW]), len(every) - FEW
    if more <= 0:
        return shown
    return f"{shown}{'' if between == ', ' else between.rstrip()} and {more} more"
