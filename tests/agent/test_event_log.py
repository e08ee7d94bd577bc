"""The event log counted where it is logged, by a handler that nobody notices."""

import io
import logging
import logging.config
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from Products.ZopeExporterAgent.event_log import (
    LONGEST_TEXT,
    LOOK,
    MOST_LEVELS,
    MOST_NAMES,
    MOST_TEXTS,
    EventLog,
    RecordCounter,
)
from Products.ZopeExporterAgent.patterns import PATTERNS, find_patterns

from zope_exporter.logs.event.patterns import KNOWN_PATTERNS

Found = dict[str, Any]


class Logs:
    """Loggers of their own, with the agent's among them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.root = logging.RootLogger(logging.INFO)
        self.manager = logging.Manager(self.root)
        self.root.manager = self.manager  # Python's own loggers have it from their class
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logging.Formatter())
        self.root.addHandler(self.handler)
        self.event_log = EventLog(self.root, lambda: self.now)
        self.event_log.look()

    def logger(self, name: str) -> logging.Logger:
        return self.manager.getLogger(name)

    def look(self) -> None:
        self.now += LOOK
        self.event_log.look()

    def status(self) -> Found:
        found: Found = self.event_log.status()
        return found

    def matches(self) -> dict[str, int]:
        return {name: count for name, count in self.status()["matches"].items() if count}


@pytest.fixture
def logs() -> Logs:
    return Logs()


def test_the_patterns_are_those_of_the_exporter() -> None:
    known = [(pattern.name, pattern.regex) for pattern in KNOWN_PATTERNS]
    assert [(name, regex) for name, _, regex in PATTERNS] == known


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("ConflictError at /a: Request will be", {"ConflictError"}),
        ("ConflictError at /a: Request will be retried.", {"ConflictError", "conflict_retried"}),
        ("Request will be retried. ConflictError at /a", {"ConflictError"}),
        ("ZODB.POSException.ConflictError: x", {"ConflictError", "conflict_failed"}),
        ("- ConflictError: x", {"ConflictError"}),
        ("PermissionError: x", set()),
        ("OSError: [Errno 28] No space left on device: 'x'", {"disk_full"}),
        ("Ready to handle requests", {"started"}),
        ("Ready to handle requests of x", set()),
    ],
)
def test_patterns_are_found_by_line(line: str, names: set[str]) -> None:
    assert find_patterns(line) == find_patterns(f"before\n{line}\nafter") == names


def test_no_text_of_a_visitor_takes_long_to_look_through(logs: Logs) -> None:
    # With `.*` as it stands, this would be looked through again from each of its places.
    logs.logger("Zope").error("ConflictError at " * 200_000)
    assert logs.matches() == {"ConflictError": 1}


def test_records_are_counted_by_level_and_pattern(logs: Logs) -> None:
    zope = logs.logger("Zope")
    zope.info("Ready to %s", "handle requests")
    zope.debug("below the level of the logger")
    try:
        raise MemoryError("too much")
    except MemoryError:
        logs.logger("waitress").exception("Exception while serving /x")
    logs.logger("a").log(25, "between")
    logs.logger("a").log(15, "below")
    found = logs.status()
    assert found["records"] == {"INFO": 1, "ERROR": 1, "Level 25": 1}
    assert logs.matches() == {"started": 1, "MemoryError": 1, "unhandled_exception": 1}
    assert set(found["matches"]) == {pattern.name for pattern in KNOWN_PATTERNS}
    assert (found["is_written"], found["unmatched"], found["apart"]) == (True, 0, [])


def test_requests_that_go_to_a_logger_are_no_records(logs: Logs) -> None:
    for name in ("wsgi", "access", "trace"):
        logs.logger(name).error("127.0.0.1 GET /")
    assert logs.status()["records"] == {}


class Json(logging.Formatter):
    """Formats without leaving its texts at the record."""

    def format(self, record: logging.LogRecord) -> str:
        return f'{{"line": {record.lineno}}}'


def test_an_exception_is_seen_that_no_handler_has_formatted(logs: Logs) -> None:
    logs.handler.setFormatter(Json())
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise KeyError("x") from error
    except KeyError:
        logs.logger("a").exception("failed at %s", "night")
    assert logs.matches() == {"disk_full": 1}


def test_what_cannot_be_formatted_is_counted_and_raises_nothing(logs: Logs) -> None:
    logs.handler.setFormatter(Json())
    counter = RecordCounter()
    logs.root.addHandler(counter)

    class HostileError(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    logs.logger("a").error("%d", "no number")
    logs.logger("a").error("%s", HostileError())
    try:
        raise HostileError
    except HostileError:
        logs.logger("a").exception("x")
    assert counter.handle(None)  # nor does what is no record
    assert logs.status()["records"] == {"ERROR": 3}


def test_it_is_put_back_after_logging_was_configured_anew(logs: Logs) -> None:
    logs.logger("a").error("one")
    for handler in list(logs.root.handlers):
        logs.root.removeHandler(handler)
        handler.close()
    logs.root.addHandler(logs.handler)
    logs.logger("a").error("unseen")
    logs.event_log.look()  # not due
    logs.logger("a").error("unseen")
    logs.look()
    logs.logger("a").error("two")
    assert logs.status()["records"] == {"ERROR": 2}
    assert sum(isinstance(each, RecordCounter) for each in logs.root.handlers) == 1


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """What is entered here ends with the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def own_root() -> Iterator[logging.Logger]:
    """Python's own root logger, afterwards as it was."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before


def test_logging_can_be_configured_with_it_in_place(
    own_root: logging.Logger, tmp_path: Path
) -> None:
    now = [0.0]
    own_root.handlers[:] = [logging.StreamHandler(io.StringIO())]
    event_log = EventLog(clock=lambda: now[0])
    event_log.look()
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "log")}
    configuration = {"version": 1, "disable_existing_loggers": False, "handlers": {"h": handler}}
    logging.config.dictConfig({**configuration, "root": {"handlers": ["h"]}})
    now[0] += LOOK
    event_log.look()
    logging.getLogger("a").error("x")
    assert event_log.status()["records"] == {"ERROR": 1}
    assert (tmp_path / "log").read_text() == "x\n"


def test_alone_at_the_root_it_would_keep_others_from_logging(logs: Logs) -> None:
    logs.root.removeHandler(logs.handler)
    logs.look()
    assert logs.root.handlers == []
    logs.root.addHandler(logging.NullHandler())
    logs.look()
    assert len(logs.root.handlers) == 1
    silent = EventLog(logs.root)
    assert silent.status() == {"is_written": False}
    assert logs.status()["records"] == {}
    assert logs.status()["is_written"] is False


def test_what_every_handler_leaves_out_is_in_no_log(logs: Logs) -> None:
    logs.root.setLevel(logging.DEBUG)
    logs.handler.setLevel(logging.WARNING)
    logs.look()
    logs.logger("a").info("x")
    logs.logger("a").warning("x")
    assert logs.status()["records"] == {"WARNING": 1}


def test_loggers_that_keep_their_records_count_if_they_write_to_the_same_place(
    logs: Logs, tmp_path: Path, ending: ExitStack
) -> None:
    def to_file(name: str) -> logging.Handler:
        return ending.enter_context(closing(logging.FileHandler(tmp_path / name)))

    logs.root.addHandler(to_file("event.log"))
    places = {
        "waitress.queue": logs.handler,  # as in the zope.ini that Zope comes with
        "same.file": to_file("event.log"),
        "same.stream": logging.StreamHandler(logs.stream),
        "other.file": to_file("other.log"),
        "nothing": logging.NullHandler(),
    }
    for name, handler in places.items():
        logger = logs.logger(name)
        logger.propagate = False
        logger.addHandler(handler)
    logs.look()
    for name in (*places, "same.file.below", "other.file.below"):
        logs.logger(name).error("x")
    assert logs.status()["records"] == {"ERROR": 4}
    assert logs.status()["apart"] == ["other.file"]
    logs.logger("same.file").propagate = True
    logs.look()
    logs.logger("same.file").error("x")
    assert logs.status()["records"] == {"ERROR": 5}


def test_what_it_keeps_is_bounded(logs: Logs) -> None:
    logs.root.setLevel(1)
    for level in range(1, MOST_LEVELS + 10):
        logs.logger("a").log(level, "x" * LONGEST_TEXT * 3)
    for number in range(MOST_NAMES + 5):
        logger = logs.logger(f"apart{number}")
        logger.propagate = False
        logger.addHandler(logging.StreamHandler(io.StringIO()))
    logs.look()
    found = logs.status()
    assert len(found["records"]) <= MOST_LEVELS + 1
    assert found["records"]["other"] == 9
    assert len(found["apart"]) == MOST_NAMES
    for _ in range(MOST_TEXTS + 7):
        logs.logger("a").error("POSKeyError")
    found = logs.status()
    assert found["records"]["ERROR"] == MOST_TEXTS + 7 + 1
    assert found["matches"]["POSKeyError"] == MOST_TEXTS
    assert found["unmatched"] == 7


def test_the_end_of_a_long_text_is_looked_at(logs: Logs) -> None:
    logs.logger("a").error("%s\nMemoryError", "x" * LONGEST_TEXT * 10)
    assert logs.matches() == {"MemoryError": 1}


def test_threads_lose_no_record_and_take_no_lock(logs: Logs) -> None:
    counter = next(each for each in logs.root.handlers if isinstance(each, RecordCounter))
    assert counter.lock is None

    def log() -> None:
        for _ in range(500):
            logs.logger("a").error("x")

    threads = [threading.Thread(target=log) for _ in "1234"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        logs.event_log.count()
    assert logs.status()["records"] == {"ERROR": 2000}


def test_in_a_forked_child_it_keeps_nothing(logs: Logs) -> None:
    logs.event_log.forget()
    logs.logger("a").error("POSKeyError")
    found = logs.status()
    assert found["matches"]["POSKeyError"] == 0
    child = EventLog(logs.root)
    child.look()
    logs.logger("a").error("x")
    assert child.status()["records"] == {"ERROR": 1}
