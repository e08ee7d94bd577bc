"""Loads and stores of real databases, counted beside whoever else watches them."""

from collections.abc import Iterator
from typing import Any

import pytest
import transaction
import ZODB
from Products.ZopeExporterAgent.activity import Activity
from Products.ZopeExporterAgent.requests import Requests
from ZODB.ActivityMonitor import ActivityMonitor


class KeepingMonitor:
    """One that does not clear the counters of connections, as the stock one does."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def closedConnection(self, connection: Any) -> None:  # noqa: N802 -- ZODB calls it so
        self.seen.append(connection.getTransferCounts())


class WrappingMonitor:
    """Another one that is wrapped around what it finds."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def closedConnection(self, connection: Any) -> None:  # noqa: N802 -- ZODB calls it so
        self.inner.closedConnection(connection)


@pytest.fixture
def database() -> Iterator[ZODB.DB]:
    made = ZODB.DB(None)
    with made.transaction() as connection:
        connection.root.number = 0
    yield made
    made.close()


def write(database: ZODB.DB, times: int = 1) -> None:
    for _ in range(times):
        with database.transaction() as connection:
            connection.cacheMinimize()
            connection.root.number += 1


def counted(activity: Activity, database: ZODB.DB) -> tuple[int, int, int, int]:
    found = activity.watch(database).status()
    return found["loads"], found["stores"], found["transactions"], found["closes"]


def since(activity: Activity, database: ZODB.DB, before: tuple[int, ...]) -> list[int]:
    return [now - then for now, then in zip(counted(activity, database), before, strict=True)]


def test_what_is_done_is_counted_from_the_first_connection_on(database: ZODB.DB) -> None:
    activity = Activity(Requests().loaded)
    assert counted(activity, database) == (0, 0, 0, 0)
    write(database)
    before = counted(activity, database)
    write(database, 3)
    with database.transaction() as connection:
        assert connection.root.number == 4
    transaction.abort()
    assert since(activity, database, before)[1:] == [3, 3, 4]
    assert since(activity, database, before)[0] >= 3


@pytest.mark.parametrize("kind", [ActivityMonitor, KeepingMonitor])
def test_a_monitor_that_was_there_sees_what_it_has_always_seen(
    database: ZODB.DB, kind: type[Any]
) -> None:
    alone = ZODB.DB(None)
    with alone.transaction() as connection:
        connection.root.number = 0
    monitors = [kind(), kind()]
    for monitor, watched in zip(monitors, (alone, database), strict=True):
        watched.setActivityMonitor(monitor)
    activity = Activity(Requests().loaded)
    activity.watch(database)
    write(alone, 4)
    write(database, 4)
    seen = [
        [entry[-2:] for entry in (getattr(monitor, "log", None) or monitor.seen)]
        for monitor in monitors
    ]
    alone.close()
    assert seen[0] == seen[1]
    assert len(seen[0]) == 4
    before = counted(activity, database)
    write(database, 2)
    assert since(activity, database, before)[1:] == [2, 2, 2]


def test_questions_for_the_monitor_that_was_there_reach_it(database: ZODB.DB) -> None:
    database.setActivityMonitor(ActivityMonitor())
    Activity(Requests().loaded).watch(database)
    assert database.getActivityMonitor().getHistoryLength() == 3600


def test_one_that_takes_its_place_later_is_taken_in(database: ZODB.DB) -> None:
    activity = Activity(Requests().loaded)
    activity.watch(database)
    write(database)
    later = ActivityMonitor()
    database.setActivityMonitor(later)
    before = counted(activity, database)
    write(database, 2)
    assert since(activity, database, before)[1:] == [2, 2, 2]
    assert len(later.log) == 2


def test_one_that_is_wrapped_around_it_later_stays_there(database: ZODB.DB) -> None:
    activity = Activity(Requests().loaded)
    activity.watch(database)
    outer = WrappingMonitor(database.getActivityMonitor())
    database.setActivityMonitor(outer)
    write(database)
    before = counted(activity, database)
    write(database, 2)
    assert since(activity, database, before)[1:] == [2, 2, 2]
    assert database.getActivityMonitor() is outer
