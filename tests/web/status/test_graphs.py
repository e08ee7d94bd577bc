import re

from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.web.status.graphs import HEIGHT, WIDTH, sparkline

values = st.lists(st.none() | st.floats(-1e12, 1e12), max_size=130)


def test_a_line_with_a_gap() -> None:
    assert sparkline([0, 1, None, 2]) == "M0.0 24.0h0.1L40.0 12.0M120.0 0.0h0.1"


def test_a_scale_of_its_own() -> None:
    assert sparkline([1, 1], top=4) == "M0.0 18.0h0.1L120.0 18.0"


def test_nothing_to_draw() -> None:
    assert sparkline([]) == sparkline([None, None]) == ""


@given(values)
def test_every_line_stays_within_the_picture(course: list[float | None]) -> None:
    drawn = sparkline(course)
    points = re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn)
    assert len(points) == sum(value is not None for value in course)
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in points)
