"""Small graphs, drawn by the server: the path of an SVG."""

from collections.abc import Sequence

WIDTH, HEIGHT = 120.0, 24.0


def path(course: Sequence[float | None], top: float | None = None) -> str:
    """Return a line through the values from left to right, with a gap where one is missing.

    The lowest line of the picture is 0, its upper edge `top` or else the highest value. Empty
    without a value.
    """
    known = [value for value in course if value is not None]
    if not known:
        return ""
    highest = top or max(known) or 1.0
    across = WIDTH / max(len(course) - 1, 1)
    drawn, pen = [], "M"
    for number, value in enumerate(course):
        if value is None:
            pen = "M"
            continue
        y = HEIGHT - min(max(value / highest, 0.0), 1.0) * HEIGHT
        drawn.append(f"{pen}{number * across:.1f} {y:.1f}")
        if pen == "M":
            drawn.append("h0.1")  # a single value would not be seen
        pen = "L"
    return "".join(drawn)
