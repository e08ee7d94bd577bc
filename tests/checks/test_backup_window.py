"""When a backup takes too long: by those that became longer, and by nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs.jobs import has_run
from zope_exporter.checks.advice import DAY, WEEK, Pace
from zope_exporter.checks.backup_window import LEAST, Run, advise_window, trend_of
from zope_exporter.maintenance.jobs.job import Task
from zope_exporter.maintenance.jobs.store import JobStore

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


LONGER = [(2 + number) * HOUR for number in range(8)]
SAME = [HOUR] * 8


@pytest.mark.parametrize(
    ("backups", "packs", "max_age", "later", "said", "room"),
    [
        (LONGER, SAME, None, 0.0, "in 14 d a backup takes longer than the time until", 24.0),
        (LONGER, SAME, 72.0, 0.0, "in 14 d a backup takes longer than the time until", 24.0),
        (
            LONGER,
            SAME,
            30.0,
            0.0,
            "a backup takes longer than what max_age leaves for it, 6 h",
            6.0,
        ),
        (SAME, LONGER, 26.0, 0.0, "in 13 d a pack takes longer than the time between two", 23.0),
        (SAME, SAME, 26.0, 0.0, None, None),
        (LONGER, SAME, None, 3.0, None, None),  # none begins any more
    ],
    ids=["until the next", "a large max_age", "max_age", "a pack", "no longer", "long ago"],
)
def test_what_a_backup_and_a_pack_have_time_for(
    backups: list[float],
    packs: list[float],
    max_age: float | None,
    later: float,
    said: str | None,
    room: float | None,
    tmp_path: Path,
) -> None:
    state, now = tmp_path / "state.sqlite3", NOW + later * DAY
    for number, (backup, pack) in enumerate(zip(backups, packs, strict=True)):
        begun = NOW - (8 - number) * DAY
        has_run(state, begun, backup, {"kind": "full"}, Task("intranet", "main", "backup"))
        has_run(state, begun, pack, {}, Task("intranet", "main", "pack"))
    allowed, pace = max_age and max_age * HOUR, Pace(7_000_000, WEEK)
    succeeded = JobStore(state).succeeded
    found = [*advise_window("intranet", "main", succeeded, allowed, pace, now)]
    assert len(found) == (said is not None)
    for advice in found:
        assert advice.text.startswith(said or "")
        assert advice.facts["room_seconds"] == pytest.approx((room or 0.0) * HOUR)
        assert advice.evidence.startswith("the last 8 ")
        assert advice.evidence.endswith("; 7 MB were written in the last 7 d")
