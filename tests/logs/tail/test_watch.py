import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logs.line_counter import LINES, Lines
from tests.support.programs.processes import eventually
from zope_exporter.logs.tail.file import LogError
from zope_exporter.logs.tail.lines import LineCounter
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch


class HangingLines(Lines):
    """Hangs at the first line until it is let go, as a read from a dead file server does."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__()
        self._go_on = go_on

    def feed(self, block: bytes) -> None:
        self._go_on.wait()
        super().feed(block)


class FailingLines(Lines):
    def feed(self, block: bytes) -> None:
        raise ZeroDivisionError(block)


class Watched:
    """A watch over the logs of one directory, with counters by the name of the log."""

    def __init__(self, directory: Path, interval: float = 3600, patience: float = 0.02) -> None:
        self.directory = directory
        self.names: list[str] = []
        self.go_on = threading.Event()
        self.store = LogStore(directory / "state")
        self.watch = LogWatch(self._sources, self._counter, self.store, interval, patience)

    def _sources(self) -> list[LogSource]:
        return [self.source(name) for name in self.names]

    def source(self, name: str) -> LogSource:
        return LogSource("intranet", name, self.directory / name, "event")

    def _counter(self, source: LogSource) -> LineCounter:
        if source.log == "hanging":
            return HangingLines(self.go_on)
        return FailingLines() if source.log == "failing" else Lines()

    def add(self, name: str) -> None:
        (self.directory / name).touch()
        self.names.append(name)

    def append(self, name: str, text: str) -> None:
        with (self.directory / name).open("a") as stream:
            stream.write(text)

    def count(self, name: str) -> float | None:
        """The lines of a log as a scrape would see them."""
        counted = self.watch.snapshot(self.source(name)).counted
        return next((sample.value for sample in counted if sample.metric is LINES), None)

    def refreshed(self, name: str) -> float | None:
        self.watch.refresh(30)
        return self.count(name)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    watched.watch.start()
    yield watched
    watched.go_on.set()
    watched.watch.stop(30)


def test_refresh_counts_what_was_written_before(watched: Watched) -> None:
    watched.add("event")
    assert watched.refreshed("event") == 0
    watched.append("event", "one\n")
    assert watched.refreshed("event") == 1


def test_what_is_published_is_saved(watched: Watched) -> None:
    watched.add("event")
    watched.refreshed("event")
    watched.append("event", "one\n")
    watched.refreshed("event")
    (state,) = LogStore(watched.directory / "state").load().values()
    assert state["counter"] == {"lines": ["one"], "skipped": 0}


def test_logs_come_and_go(watched: Watched) -> None:
    with pytest.raises(LogError, match="not read yet"):
        raise watched.watch.snapshot(watched.source("event")).problem or AssertionError
    watched.add("event")
    watched.refreshed("event")
    watched.append("event", "one\n")
    assert watched.refreshed("event") == 1
    watched.names.clear()
    assert watched.refreshed("event") is None
    watched.append("event", "two\n")
    watched.names.append("event")
    assert watched.refreshed("event") == 2


def test_a_log_that_hangs_delays_neither_the_others_nor_a_scrape(watched: Watched) -> None:
    for name in ("hanging", "event"):
        watched.add(name)
    watched.refreshed("event")
    for name in ("hanging", "event"):
        watched.append(name, "one\n")
    assert watched.refreshed("event") == 1
    assert watched.count("hanging") == 0
    watched.append("event", "two\n")
    assert watched.refreshed("event") == 2
    hanging = watched.source("hanging")
    problem = eventually(lambda: watched.watch.snapshot(hanging).problem)
    assert f"{hanging.path} has not let itself be read for 2 s" in str(problem)
    threads = sum(thread.name == "logs" for thread in threading.enumerate())
    assert threads == 1
    watched.go_on.set()
    eventually(lambda: watched.refreshed("hanging") == 1)
    assert watched.watch.snapshot(hanging).problem is None


def test_a_log_that_waits_for_its_turn_does_not_hang(tmp_path: Path) -> None:
    """On a busy host hundreds of healthy ones may wait for longer than one may take."""
    watched = Watched(tmp_path, patience=600)
    for name in ("hanging", "event"):
        watched.add(name)
    watched.watch.start()
    try:
        watched.refreshed("event")
        watched.append("hanging", "one\n")
        with pytest.raises(LogError, match="not all logs were read"):
            watched.watch.refresh(0.01)
        hanging, event = map(watched.source, watched.names)
        eventually(lambda: "for 2 s" in str(watched.watch.snapshot(hanging).problem))
        assert watched.watch.snapshot(event).problem is None
    finally:
        watched.go_on.set()
        watched.watch.stop(30)


def test_a_counter_that_fails_is_the_problem_of_its_log(watched: Watched) -> None:
    for name in ("failing", "event"):
        watched.add(name)
    watched.refreshed("event")
    for name in ("failing", "event"):
        watched.append(name, "one\n")
    assert watched.refreshed("event") == 1
    problem = watched.watch.snapshot(watched.source("failing")).problem
    assert isinstance(problem, ZeroDivisionError)
    watched.refreshed("event")
    assert watched.watch.snapshot(watched.source("failing")).problem is None


def test_an_unusable_state_file_stops_nothing(watched: Watched) -> None:
    (watched.directory / "state").mkdir()
    watched.add("event")
    watched.refreshed("event")
    watched.append("event", "one\n")
    assert watched.refreshed("event") == 1
    assert watched.store.problem is not None
    (watched.directory / "state").rmdir()
    watched.refreshed("event")
    assert watched.store.problem is None
    assert LogStore(watched.directory / "state").load()


def test_a_failing_inventory_is_told() -> None:
    def sources() -> list[LogSource]:
        raise ZeroDivisionError("no inventory")

    watch = LogWatch(sources, lambda _: Lines(), LogStore(None), interval=3600)
    watch.start()
    for _ in range(2):  # the thread has not died of it
        with pytest.raises(LogError, match="not read: no inventory"):
            watch.refresh(30)
    watch.stop(30)


def test_logs_are_looked_at_without_being_asked(tmp_path: Path) -> None:
    watched = Watched(tmp_path, interval=0.01)
    watched.add("event")
    watched.watch.start()
    eventually(lambda: watched.count("event") == 0)
    watched.append("event", "one\n")
    eventually(lambda: watched.count("event") == 1)
    watched.watch.stop(30)


def test_refresh_is_bounded(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with pytest.raises(LogError, match=r"not all logs were read within 0\.01 s"):
        watched.watch.refresh(0.01)
    watched.watch.stop()
