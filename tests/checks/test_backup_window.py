"""When a backup takes too long: by those that became longer, and by nothing else."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.checks.advice import DAY, WEEK
from zope_exporter.checks.backup_window import LEAST, Run, trend_of

NOW = 1_700_000_000.0
HOUR = 3600.0

TOOK = st.floats(0, 30 * DAY)
BEGUN = st.floats(NOW - 365 * DAY, NOW)
RUNS = st.lists(st.builds(Run, BEGUN, TOOK), max_size=30)


def daily(took: Sequence[float]) -> list[Run]:
    return [Run(NOW - (len(took) - i) * 2 * DAY, each) for i, each in enumerate(took)]


@given(RUNS)
def test_whatever_there_was_a_trend_is_upwards_and_of_enough(runs: list[Run]) -> None:
    trend = trend_of(runs, NOW)
    if trend is not None:
        assert len(runs) >= LEAST
        assert trend.rate > 0
        assert trend.reaches(0) >= 0


@given(st.lists(TOOK, max_size=30))
def test_what_stays_or_shrinks_has_none(took: list[float]) -> None:
    assert trend_of(daily(sorted(took, reverse=True)), NOW) is None


@given(st.floats(60, DAY), st.floats(1, HOUR), st.integers(LEAST, 30), st.integers(0, 29))
def test_a_line_is_found_also_with_one_run_that_waited(
    first: float, more: float, count: int, waited: int
) -> None:
    took = [first + more * number for number in range(count)]
    if count >= 2 * LEAST:
        took[waited % count] += 10 * DAY
    trend = trend_of(daily(took), NOW)
    assert trend is not None
    assert trend.rate == pytest.approx(more / (2 * DAY), rel=0.3)


def test_a_day_of_backups_each_hour_is_no_trend() -> None:
    runs = [Run(NOW - (24 - hour) * HOUR, 60.0 + hour) for hour in range(24)]
    assert trend_of(runs, NOW) is None
    assert trend_of([Run(NOW - WEEK - DAY, 50.0), *runs], NOW) is not None
