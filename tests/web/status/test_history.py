import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.metrics.metric import Metric
from zope_exporter.web.status.history import History, increase, rate

SEEN = Metric("zope_seen_total", "counter", "Seen.", ("site", "code"))
OTHER = Metric("zope_other", "gauge", "Other.", ("site",))


def history(most: int = 100) -> History:
    return History([SEEN], step=10.0, steps=4, most=most)


def test_a_value_for_each_step_the_oldest_first() -> None:
    kept = history()
    for number in range(6):
        kept.add([SEEN(number, site="a", code="200")], 10.0 * number)
    assert kept.course(SEEN, ("a", "200")) == [2, 3, 4, 5]


def test_the_last_steps_alone_or_a_gap_for_each() -> None:
    kept = history()
    for number in range(6):
        kept.add([SEEN(number, site="a", code="200")], 10.0 * number)
    assert kept.course(SEEN, ("a", "200"), 2) == kept.course(SEEN, ("a", None), 2) == [4, 5]
    assert kept.course(SEEN, ("b", None), 2) == [None, None]
    assert kept.course(SEEN, ("a", None), 9) == [2, 3, 4, 5]


def test_the_latest_within_a_step_counts() -> None:
    kept = history()
    kept.add([SEEN(1, site="a", code="200")], 11.0)
    kept.add([SEEN(2, site="a", code="200")], 19.0)
    assert kept.course(SEEN, ("a", "200")) == [None, None, None, 2]


def test_a_step_nobody_looked_in_is_a_gap() -> None:
    kept = history()
    kept.add([SEEN(1, site="a", code="200")], 0.0)
    kept.add([SEEN(4, site="a", code="200")], 30.0)
    assert kept.course(SEEN, ("a", "200")) == [1, None, None, 4]
    kept.add([], 1000.0)
    assert kept.course(SEEN, ("a", "200")) == [None] * 4


def test_labels_may_be_any() -> None:
    kept = history()
    found = [("a", "200", 1), ("a", "404", 2), ("b", "200", 4)]
    kept.add([SEEN(value, site=site, code=code) for site, code, value in found], 0.0)
    assert kept.course(SEEN, ("a", None))[-1] == 3
    assert kept.course(SEEN, (None, "200"))[-1] == 5
    assert kept.course(SEEN, ("c", None))[-1] is None


def test_only_what_is_drawn_is_kept_and_no_flood_of_series() -> None:
    kept = history(most=2)
    samples = [SEEN(1, site="a", code=str(code)) for code in range(5)]
    kept.add([*samples, OTHER(7, site="a")], 0.0)
    assert kept.course(OTHER, ("a",))[-1] is None
    assert kept.course(SEEN, ("a", None))[-1] == 2


def test_series_that_are_gone_make_room() -> None:
    kept = history(most=1)
    kept.add([SEEN(1, site="old", code="200")], 0.0)
    kept.add([SEEN(1, site="new", code="200")], 40.0)
    assert kept.course(SEEN, ("new", "200"))[-1] == 1


def test_a_clock_that_is_set_back_loses_nothing_that_is_known() -> None:
    kept = history()
    kept.add([SEEN(1, site="a", code="200")], 100.0)
    kept.add([SEEN(2, site="a", code="200")], 70.0)
    assert kept.course(SEEN, ("a", "200"))[-1] == 1


def test_before_the_first_look_there_is_no_course() -> None:
    assert history().course(SEEN, ("a", "200")) == []


@pytest.mark.parametrize(
    ("course", "rates", "grown"),
    [
        ([], [], None),
        ([1.0], [], None),
        ([1.0, 4.0, 4.0], [0.3, 0.0], 3.0),
        ([5.0, None, 9.0], [None, None], None),
        ([5.0, 2.0, 3.0], [0.2, 0.1], 3.0),
    ],
)
def test_counters(course: list[float | None], rates: list[float | None], grown: float) -> None:
    assert rate(course, 10.0) == pytest.approx(rates)
    assert increase(course) == grown


looks = st.lists(
    st.tuples(st.integers(0, 60), st.dictionaries(st.sampled_from("ab"), st.floats(0, 1e6)))
)


@given(looks)
def test_whatever_is_added_the_course_is_what_was_seen_last_in_each_step(
    seen: list[tuple[int, dict[str, float]]],
) -> None:
    kept = history()
    expected: dict[int, dict[str, float]] = {}
    for now, values in sorted(seen, key=lambda item: item[0]):
        kept.add([SEEN(value, site=site, code="200") for site, value in values.items()], now)
        expected.setdefault(now // 10, {}).update(values)
    if expected:
        last = max(expected)
        for site in "ab":
            course = [expected.get(step, {}).get(site) for step in range(last - 3, last + 1)]
            assert kept.course(SEEN, (site, "200")) == course
            assert not any(value is not None and math.isnan(value) for value in course)
            for steps in (None, 2, 3):
                recent = course if steps is None else course[-steps:]
                assert kept.increase(SEEN, (site, "200"), steps) == (increase(recent) or 0.0)
