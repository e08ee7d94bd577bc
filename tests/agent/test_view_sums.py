"""Sums by view: bounded, of the time they say, and counters that never go back."""

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from Products.ZopeExporterAgent.view_sums import (
    FIELDS,
    HOUR,
    MINUTES,
    MOST,
    NAMED,
    NONE,
    OTHER,
    ViewSums,
)

START = 1.8e9 - 1.8e9 % HOUR


class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


def row(seconds: float = 1.0, **others: float) -> list[float]:
    given: dict[Any, float] = {"requests": 1, "seconds": seconds, **others}
    found: list[float] = [given.get(field, 0) for field in FIELDS]
    return found


def value(views: dict[str, list[float]], name: str, field: str) -> float:
    found: float = views[name][FIELDS.index(field)]
    return found


def slices(sums: ViewSums, seconds: int) -> list[dict[str, Any]]:
    return [each for each in sums.slices()["slices"] if each["seconds"] == seconds]


def add_a_day(sums: ViewSums, clock: Clock, names: Iterable[str]) -> None:
    for name in names:
        clock.now += 17.28
        sums.add(name, row(0.1))
        sums.add("slow", row(2.0, loads=3))
        sums.count()


def test_ten_thousand_views_take_the_memory_of_a_few_and_hide_no_slow_one() -> None:
    clock = Clock()
    sums = ViewSums(clock)
    add_a_day(sums, clock, (f"first{number}" for number in range(5_000)))
    tracemalloc.start()
    add_a_day(sums, clock, (f"later{number}" for number in range(5_000)))
    # Nothing from before is left, so that what was allocated since is all there is.
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 1_000_000
    hours = slices(sums, HOUR)
    assert 24 <= len(hours) <= 25
    for each in hours[1:-1]:
        views = each["views"]
        assert next(iter(views)) == "slow"
        assert len(views) == MOST + 1
        of_each = sum(view[0] for view in views.values())
        assert of_each == 2 * value(views, "slow", "requests")
        assert value(views, "slow", "loads") == 3 * value(views, "slow", "requests")


def test_a_slice_is_of_its_time_whatever_the_clock_does() -> None:
    clock = Clock()
    sums = ViewSums(clock)
    for minute in (1, 9, 11, 8, 71):  # set back once
        clock.now = START + 60 * minute
        sums.add(None, row())
        sums.count()
    found = [
        (each["start"] - START, value(each["views"], NONE, "requests"))
        for each in slices(sums, MINUTES)
    ]
    # The first slice has gone, being of more than an hour ago.
    assert found == [(MINUTES, 2), (7 * MINUTES, 1)]
    clock.now += 4 * HOUR
    assert slices(sums, MINUTES) == []
    assert sums.status()["hour"] == {}
    assert [value(each["views"], NONE, "requests") for each in slices(sums, HOUR)] == [4, 1]


def test_a_clock_that_was_wrong_by_days_is_forgotten() -> None:
    clock = Clock()
    sums = ViewSums(clock)
    for number in range(NAMED + 2):
        sums.add(f"view{number}", row())
    sums.count()
    clock.now -= 48 * HOUR
    sums.add("slow", row(50.0))
    sums.count()
    clock.now += MINUTES
    sums.count()
    assert sums.status()["hour"] == {"slow": row(50.0)[:-1]}
    clock.now += HOUR - MINUTES
    sums.count()
    assert "slow" in sums.status()["total"]


def test_counters_of_views_never_go_back_and_change_places_once_an_hour() -> None:
    clock = Clock()
    sums = ViewSums(clock)
    seen: list[dict[str, list[float]]] = []
    for minute in range(300):
        clock.now = START + 60 * minute
        for number in range(50):
            # Each half an hour others are slow.
            slow = number // 5 == 9 - minute // 30
            sums.add(f"view{number}", row(9.0 if slow else 0.1))
        sums.count()
        seen.append(sums.status()["total"])
    for before, after in pairwise(seen):
        assert all(after[name] >= row for name, row in before.items() if name in after)
        assert all(value(after, name, "requests") <= 1 for name in after.keys() - before)
    changes = [minute for minute, (a, b) in enumerate(pairwise(seen), 1) if a.keys() != b.keys()]
    assert changes == [10, 70, 130, 190, 250]
    assert len(seen[-1]) == NAMED + 1
    assert OTHER in seen[-1]
    # Those that were slow in the hour before the last change.
    assert {f"view{number}" for number in range(10, 15)} <= seen[-1].keys()


def test_the_time_of_loads_is_told_only_where_it_is_taken() -> None:
    sums = ViewSums(Clock())
    sums.add("slow", row(5.0, load_seconds=4.0))
    sums.count()
    assert "load_seconds" not in sums.status()["fields"] + sums.slices()["fields"]
    assert {len(each) for each in slices(sums, HOUR)[0]["views"].values()} == {len(FIELDS) - 1}
    sums.are_loads_timed = True
    assert sums.status()["fields"] == sums.slices()["fields"] == FIELDS
    for views in (sums.status()["hour"], sums.status()["total"], slices(sums, HOUR)[0]["views"]):
        assert value(views, "slow", "load_seconds") == 4.0
