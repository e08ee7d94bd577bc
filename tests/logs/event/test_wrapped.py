"""A log that others have passed on is counted as it was written."""

import io
import json
import logging
import random
from collections.abc import Iterable

import pytest
from pythonjsonlogger.json import JsonFormatter

from tests.support.logs.event_counts import matches, records, unparsed
from tests.support.logs.event_samples import PLONE, RAISED, ZOPE2, ZOPE6
from tests.support.logs.wrapped import WRAPS, Wrap, cut
from zope_exporter.logs.event.counter import EventCounter

SINCE_ZOPE4 = ZOPE6 + PLONE + RAISED % 1 + RAISED % 2 + RAISED % 1 + ZOPE6
FULL = "%(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
PLONE_JSON = "%(asctime)s %(name)s %(levelname)s %(message)s %(module)s %(lineno)s %(threadName)s"


def count(blocks: Iterable[bytes]) -> EventCounter:
    """Count, each block by a counter that only knows what the last one stored."""
    counter = EventCounter()
    for block in blocks:
        successor = EventCounter()
        successor.load(json.loads(json.dumps(counter.save())))
        successor.feed(block)
        counter = successor
    return counter


def counted(counter: EventCounter) -> tuple[dict[str, int], dict[str, int], int]:
    return records(counter), matches(counter), unparsed(counter)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("log", [ZOPE2, SINCE_ZOPE4])
def test_what_is_around_the_lines_changes_nothing(log: bytes, wrap: Wrap) -> None:
    expected = counted(count([log]))
    for seed in range(20):
        assert counted(count(cut(wrap(log), random.Random(seed)))) == expected


def test_a_log_may_change_its_wrapping() -> None:
    log = b"".join(wrap(SINCE_ZOPE4) for wrap in WRAPS.values())
    counter = count([SINCE_ZOPE4, *(wrap(SINCE_ZOPE4) for wrap in WRAPS.values()), SINCE_ZOPE4])
    once = records(count([SINCE_ZOPE4]))
    assert log
    assert records(counter)["INFO"] == once["INFO"] * (len(WRAPS) + 2)
    assert unparsed(counter) == 0


def logger(stream: io.StringIO, formatter: logging.Formatter, name: str) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    made = logging.Logger(name)
    made.addHandler(handler)
    return made


def write(formatter: logging.Formatter) -> bytes:
    """Log what a Zope might."""
    stream = io.StringIO()
    zope, waitress = (logger(stream, formatter, name) for name in ("Zope", "waitress"))
    zope.info("Ready to handle requests")
    zope.warning("two lines\n2026-11-22 10:37:51 ERROR [none:1][of] the second")
    try:
        raise KeyError("POSKeyError 0x01")
    except KeyError:
        waitress.exception("Exception while serving /b")
    zope.critical("No space left on device")
    zope.log(35, "a level between")
    return stream.getvalue().encode()


@pytest.mark.parametrize("fields", [PLONE_JSON, "%(levelname)s %(message)s"])
@pytest.mark.parametrize("wrap", [bytes, *WRAPS.values()], ids=["plain", *WRAPS])
def test_json_is_counted_like_text(fields: str, wrap: Wrap) -> None:
    expected = {"INFO": 1, "WARNING": 2, "ERROR": 1, "CRITICAL": 1}
    found = {"started": 1, "unhandled_exception": 1, "POSKeyError": 1, "disk_full": 1}
    log = write(JsonFormatter(fields))
    for seed in range(5):
        counter = count(cut(wrap(log), random.Random(seed)))
        assert records(counter) == expected
        assert matches(counter) == found
        assert unparsed(counter) == 0


@pytest.mark.parametrize(
    "record",
    [
        {"event": "x", "level": "error", "timestamp": "2026-11-22T10:37:51Z"},
        {"@timestamp": "2026", "log.level": "error", "message": "x", "log": {"logger": "a"}},
        {"@timestamp": "2026", "log": {"level": "error"}, "message": "x"},
        {"severity": "ERROR", "message": "x", "time": 1.5},
        {"levelno": 40, "msg": "x"},
    ],
    ids=["structlog", "ECS", "ECS nested", "Google", "numbers"],
)
def test_what_other_formatters_call_it(record: dict[str, object]) -> None:
    assert records(count([json.dumps(record).encode() + b"\n"])) == {"ERROR": 1}


def test_waitress_twice_in_json_is_once() -> None:
    line = {"asctime": "2026-11-22 10:37:54,123", "name": "waitress", "levelname": "ERROR"}
    text = json.dumps({**line, "message": "Exception while serving /"}).encode() + b"\n"
    later = text.replace(b"54,123", b"55,123")
    assert records(count([text, text, later])) == {"ERROR": 2}


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"{",
        b'{"message": 1}',
        b'{"levelname": "INFO"}',
        b"[" * 5000,
        b'{"a":' * 5000,
        b"[1]",
    ],
)
def test_json_that_is_no_record(line: bytes) -> None:
    assert counted(count([line + b"\n"])) == ({}, {}, 1)


def test_json_and_prefixes_within_a_plain_record_are_its_text() -> None:
    text = json.dumps({"levelname": "ERROR", "message": "POSKeyError"}).encode()
    more = [
        b"  of the record\n" * 3 + text + b"\n",
        b"Nov 22 10:37:51 web1 x[1]: " + PLONE.splitlines(keepends=True)[0],
    ]
    counter = count([ZOPE6 + more[0] + more[1], more[0]])
    assert records(counter) == records(count([ZOPE6]))


def test_a_part_that_never_ends_is_let_go() -> None:
    part = b"2026-11-22T10:37:51Z stderr P " + b"x" * 60_000 + b"\n"
    counter = count([b"2026-11-22T10:37:51Z stderr F " + ZOPE6.splitlines(keepends=True)[0]])
    for _ in range(40):
        counter.feed(part)
        assert len(json.dumps(counter.save())) < 1 << 21
    assert records(counter) == {"INFO": 1}


def test_the_layers_of_something_else_are_refused() -> None:
    for wrong in ({"layers": ["x"]}, {"layers": 1}, {"carried": ["x"]}):
        with pytest.raises(ValueError, match="not the layers"):
            EventCounter().load({**EventCounter().save(), **wrong})


def test_a_state_of_before_there_were_layers() -> None:
    counter = count([ZOPE6])
    state = {
        name: value for name, value in counter.save().items() if name not in ("layers", "carried")
    }
    successor = EventCounter()
    successor.load(state)
    assert records(successor) == records(counter)
