"""What a RelStorage's SQL database is asked: rarely, never twice at a time, holding up nobody."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from Products.ZopeExporterAgent.parts import UnknownError
from Products.ZopeExporterAgent.sql_statistics import AFTER_FAILURE, EVERY, VALID, SqlStatistics

from tests.support.programs.processes import eventually

HANGS = 20.0


class Sqlite3Adapter:
    """An adapter whose database answers each query with the next number, or hangs, or is down."""

    def __init__(self) -> None:
        self.connmanager = self
        self.keep_history = False
        self.isolation_read_committed = "committed"
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()
        self.is_down = False

    def open_and_call(self, ask: Callable[[Any, Any], Any]) -> Any:
        self.asked += 1
        assert self.answers.wait(HANGS)
        if self.is_down:
            raise ConnectionError("password=secret")
        numbers = iter((2**58, 5000, self.asked))
        cursor = SimpleNamespace(execute=lambda _: None, fetchone=lambda: (next(numbers),))
        return ask(None, cursor)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def adapter() -> Iterator[Sqlite3Adapter]:
    adapter = Sqlite3Adapter()
    yield adapter
    adapter.answers.set()


def objects(statistics: SqlStatistics, adapter: Sqlite3Adapter) -> int | None:
    found = statistics.of(adapter)
    return found["objects"] if found else None


def test_it_is_asked_once_in_a_while_however_often_it_is_told(
    adapter: Sqlite3Adapter, clock: Clock
) -> None:
    statistics = SqlStatistics(clock)
    statistics.meet(adapter)
    eventually(lambda: objects(statistics, adapter) == 1)
    for _ in range(20):
        statistics.meet(adapter)
        assert objects(statistics, adapter) == 1
    assert adapter.asked == 1
    clock.now += EVERY
    eventually(lambda: objects(statistics, adapter) == 2)
    assert adapter.asked == 2


def test_nobody_asks_again_whom_nobody_asks(adapter: Sqlite3Adapter, clock: Clock) -> None:
    statistics = SqlStatistics(clock)
    statistics.meet(adapter)
    clock.now += 10 * EVERY
    statistics.meet(adapter)
    assert adapter.asked == 1


def test_a_database_that_hangs_holds_up_nobody_and_what_it_said_goes_out_of_date(
    adapter: Sqlite3Adapter, clock: Clock
) -> None:
    statistics = SqlStatistics(clock)
    eventually(lambda: objects(statistics, adapter) == 1)
    adapter.answers.clear()
    clock.now += EVERY
    assert objects(statistics, adapter) == 1
    clock.now += VALID
    for _ in range(20):
        assert objects(statistics, adapter) is None
    assert adapter.asked == 2
    adapter.answers.set()
    eventually(lambda: objects(statistics, adapter) == 3)


def test_one_that_is_down_is_named_without_its_words_and_asked_less_often(
    adapter: Sqlite3Adapter, clock: Clock
) -> None:
    statistics = SqlStatistics(clock)
    adapter.is_down = True

    def problem() -> str:
        try:
            statistics.of(adapter)
        except UnknownError as error:
            return str(error)
        return ""

    assert eventually(problem) == "its SQL database did not tell: ConnectionError"
    clock.now += AFTER_FAILURE - 1
    assert problem()
    assert adapter.asked == 1
    adapter.is_down = False
    clock.now += 2
    eventually(lambda: not problem())
    eventually(lambda: objects(statistics, adapter) == 2)


def test_a_database_of_another_kind_is_left_alone() -> None:
    assert SqlStatistics().of(SimpleNamespace()) is None
