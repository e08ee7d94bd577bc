"""Records that logging itself formats are found, whatever the format is."""

import logging
import time
from contextlib import suppress
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.event_counts import records, unparsed
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.event.fields import severity

Style = Literal["%", "{", "$"]

ZOPE4 = "%(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
PLONE = "%(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
ZCONFIG = "------\n%(asctime)s %(levelname)s %(name)s %(message)s"
SHIPPED = [
    (ZOPE4, "%Y-%m-%d %H:%M:%S"),
    (PLONE, None),
    (ZCONFIG, "%Y-%m-%dT%H:%M:%S"),
]
WITH_LOGGER = [
    ("%(levelname)s:%(name)s:%(message)s", None),
    ("%(asctime)s;%(name)s;%(levelname)s;%(message)s", "%a %d %b %Y %I:%M:%S %p %z"),
    ("%(created)f %(name)-20s %(levelname)-8s %(message)s", None),
    ("\n======\n%(asctime)s (%(levelname)s) %(name)s %(message)s", None),
    ("{asctime} {levelname:<8} [{name:>20}] {message}", None),
]
WITHOUT_LOGGER = [
    ("%(levelname)s %(message)s", None),
    ("%(levelname).1s %(message)s", None),
    ("[%(levelname)8s] %(message)s", None),
    ("%(levelno)s %(asctime)s %(message)s", None),
    ("%(asctime)s.%(msecs)03d %(process)d [%(levelname)s] %(message)s", "%d.%m.%Y %H:%M:%S"),
    ("%(asctime)s %(threadName)s %(levelname)s %(message)s", "%D %T"),
    ("%(asctime)s %(levelname)s %(message)s [%(name)s]", "%%%F %s"),
    ("100%% %(pathname)s:%(lineno)5d %(levelname)s: %(message)s", None),
    ("=== %(asctime)s\t%(levelname)s\t%(message)s", "%H:%M:%S"),
    ("{levelname:.4}|{message}", None),
    ("${asctime} $$ $levelname: $message", None),
]
ALL = [*SHIPPED, *WITH_LOGGER, *WITHOUT_LOGGER]
LEVELS = {
    5: "TRACE",
    10: "DEBUG",
    15: "BLATHER",
    20: "INFO",
    30: "WARNING",
    40: "ERROR",
    50: "CRITICAL",
}
MESSAGE = """\
of several lines
  INFO is here, and 2026-11-22 10:37:51 INFO [here:1][x] too
 ------
Traceback (most recent call last):
  File "x.py", line 1, in <module>
KeyError: 'ERROR'"""


def record(
    level: int, message: str = MESSAGE, logger: str = "ZODB.Connection"
) -> logging.LogRecord:
    made = logging.LogRecord(logger, level, "/srv/x.py", 12, message, None, None)
    made.levelname = LEVELS[level]
    made.threadName = "Thread-1 (serve)"
    return made


def formatter(text: str, dates: str | None) -> logging.Formatter:
    style: Style = "%" if "%(" in text else "$" if "$" in text else "{"
    made = logging.Formatter(text, dates, style)
    made.converter = time.gmtime
    return made


def written(text: str, dates: str | None) -> list[bytes]:
    """The lines of a record of each level, twice."""
    write = formatter(text, dates).format
    log = "".join(f"{write(record(level))}\n" for level in (*LEVELS, *LEVELS))
    return log.encode().splitlines(keepends=True)


@pytest.mark.parametrize(("text", "dates"), ALL)
def test_what_logging_writes_is_counted(text: str, dates: str | None) -> None:
    counter = EventCounter(text, date_format=dates)
    for line in written(text, dates):
        counter.feed(line)
    assert records(counter) == dict.fromkeys(LEVELS.values(), 2)
    assert unparsed(counter) == 0


@pytest.mark.parametrize(("text", "dates"), SHIPPED)
def test_the_formats_of_zope_and_plone_need_not_be_told(text: str, dates: str | None) -> None:
    for told in (EventCounter(), EventCounter(text)):
        told.feed(b"".join(written(text, dates)))
        assert records(told) == dict.fromkeys(LEVELS.values(), 2)


@pytest.mark.parametrize(("text", "dates"), ALL)
def test_what_waitress_logs_twice_counts_once_where_the_logger_is_told(
    text: str, dates: str | None
) -> None:
    write = formatter(text, dates).format
    counter = EventCounter(text, date_format=dates)
    for number, logger in enumerate(("waitress", "waitress.queue", "waitress")):
        logged = record(40, str(number), logger)
        counter.feed(2 * (write(logged) + "\nTraceback:\n").encode())
    told = (text, dates) not in WITHOUT_LOGGER
    assert records(counter) == {"ERROR": 4 if told else 6}


def test_control_characters_may_be_escaped_as_in_zope_conf() -> None:
    counter = EventCounter(r"------\n%(asctime)s\t%(levelname)s %(message)s")
    counter.feed(b"------\n2026-11-22 10:37:51\tINFO x\n2026-11-22 10:37:51\tINFO x\n")
    assert records(counter) == {"INFO": 1}


@pytest.mark.parametrize(
    "before", ["%(name){0}s %(module){0}s %(funcName){0}s", "%(name)s:%(module)s"]
)
def test_lines_that_nearly_begin_a_record_in_very_many_ways(before: str) -> None:
    counter = EventCounter(f"{before.format('-20')} %(levelname)8s %(message)s")
    for line in ("x" * 300 + " " * 30_000 + "y", "a " * 30_000, "a:" * 30_000, " " * 30_000):
        counter.feed((" " * 80 + line + "\n").encode() * 20)
    assert unparsed(counter) == 80


def test_without_a_date_only_known_levels_begin_a_record() -> None:
    counter = EventCounter("%(levelname)s %(message)s")
    counter.feed(b"INFO x\nSELECT x\nWARN x\nINFORMATION x\n")
    assert records(counter) == {"INFO": 1, "WARNING": 1}


@pytest.mark.parametrize(
    ("text", "dates", "reason"),
    [
        ("", None, "has no field such as %(levelname)s"),
        ("{0:}}", None, "is no format string: Single '}' encountered in format string"),
        ("%(levelname)s%(message)s", None, "has nothing between the level and what follows it"),
        ("%(name)s%(levelname)s x", None, "has nothing between name and what follows it"),
        ("50% %(levelname)s", None, "has a % that begins no field, in '50% '"),
        ("%(levelname)s %", None, "has a % that begins no field, in ' %'"),
        ("{levelname:{x}}", None, "has a field of unknown form, {levelname:{x}}"),
        ("%(asctime)s %(levelname)s ", "%c", "has %c in its date, which has no fixed form"),
        ("%(asctime)s %(levelname)s ", "%Y\n%m", "has a date of several lines"),
    ],
)
def test_formats_without_a_recognisable_beginning(
    text: str, dates: str | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=r"^format ") as refused:
        EventCounter(text, date_format=dates)
    assert f"format {text!r} {reason}" in str(refused.value)


@settings(deadline=None)
@given(
    st.text(max_size=40)
    | st.sampled_from([text for text, _ in ALL]).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
    )
)
def test_any_text_is_a_format_or_refused_with_a_reason(text: str) -> None:
    with suppress(ValueError):
        counter = EventCounter(text)
        counter.feed(b"x\n")
        assert sum(records(counter).values()) + unparsed(counter) <= 1


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("INFO", "INFO"),
        ("PROBLEM", "WARNING"),
        ("WARN", "WARNING"),
        ("PANIC", "CRITICAL"),
        ("FATAL", "CRITICAL"),
        ("CRITICA", "CRITICAL"),
        ("Level 35", "WARNING"),
        ("Level 15", "BLATHER"),
        ("Level 12", "DEBUG"),
        ("5", "TRACE"),
        ("99", "CRITICAL"),
        ("NOTICE", "other"),
        ("Level ", "other"),
        ("", "other"),
    ],
)
def test_severities(level: str, expected: str) -> None:
    assert severity(level) == expected
