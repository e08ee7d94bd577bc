"""The last error of an event log, as each generation of Zope and each way to a file writes it."""

from pathlib import Path

import pytest

from tests.support.faults.odd_files import ODD
from tests.support.logs.event_samples import PLONE, RAISED, ZOPE2, ZOPE6
from tests.support.logs.wrapped import WHOLE_LINES, Wrap
from zope_exporter.logs.event.last_error import LONGEST, LOOKED_AT, last_error

INFO = b"2026-11-22 11:00:00 INFO [Zope:42][MainThread] Ready to handle requests\n"
REQUEST = b'127.0.0.1 - - [22/Nov/2026:11:00:00 +0100] "GET /shop HTTP/1.1" 200 5 "-" "-"\n'
LAST = (RAISED % 2).decode().rstrip("\n")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "event.log"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ZOPE6 + RAISED % 1 + RAISED % 2 + INFO, LAST),
        (ZOPE6 + RAISED % 1 + RAISED % 2, LAST),
        (PLONE, PLONE.decode().split("\n")[1]),
        (ZOPE2, ZOPE2.decode().partition("54 ")[0][-17:] + ZOPE2.decode().partition("54 ")[1]),
    ],
    ids=["followed", "at the end", "a level cut short", "zope 2"],
)
def test_it_is_whole(log: Path, text: bytes, expected: str) -> None:
    log.write_bytes(text)
    found = last_error(log)
    assert found is not None
    assert found.startswith(expected)
    assert "INFO" not in found
    assert not found.endswith("------")


@pytest.mark.parametrize("wrap", WHOLE_LINES.values(), ids=WHOLE_LINES)
def test_whatever_is_around_its_lines(log: Path, wrap: Wrap) -> None:
    log.write_bytes(wrap(ZOPE6 + RAISED % 2 + INFO))
    assert last_error(log) == LAST


def test_lines_that_end_as_on_windows(log: Path) -> None:
    log.write_bytes((RAISED % 2 + INFO).replace(b"\n", b"\r\n"))
    assert last_error(log) == LAST


def test_requests_in_a_file_of_both_logs_are_no_part_of_it(log: Path) -> None:
    log.write_bytes(REQUEST + RAISED % 2 + REQUEST * 3)
    assert last_error(log, shared=True) == LAST


def test_zope_2_separates_records_by_a_line(log: Path) -> None:
    log.write_bytes(ZOPE2 + b"------\n2026-11-22T10:38:00 INFO ZServer HTTP server started\n")
    assert str(last_error(log)).endswith("Module x, line 1, in y\n------\nPOSKeyError: 0x01")


@pytest.mark.parametrize(
    "text",
    [b"", INFO, INFO * 2, b"no record\n", RAISED % 2 + INFO * (LOOKED_AT // len(INFO) + 1)],
    ids=["empty", "one", "two", "none", "too far back"],
)
def test_there_may_be_none(log: Path, text: bytes) -> None:
    log.write_bytes(text)
    assert last_error(log) is None


def test_of_a_long_one_both_ends_are_told_and_a_line_under_way_is_not(log: Path) -> None:
    frames = b'  File "x.py", line 1, in y\n' * 1000
    record = b"2026-11-22 10:37:54 ERROR [Zope:1][MainThread] deep\n" + frames + b"KeyError: \xff\n"
    log.write_bytes(INFO * 10000 + record + b"2026-11-22 10:37:55 ERROR [Zope:1][Main")
    found = str(last_error(log))
    assert found.startswith("2026-11-22 10:37:54 ERROR")
    assert found.endswith("KeyError: \\xff")
    assert "\n[...]\n" in found
    assert len(found) < LONGEST + 20


def test_a_format_of_ones_own(log: Path) -> None:
    log.write_bytes(b"ERROR|one\nmore\nDEBUG|two\n")
    assert last_error(log, "%(levelname)s|%(message)s") == "ERROR|one\nmore"
    with pytest.raises(ValueError, match="does not tell where a record begins"):
        last_error(log, "%(message)s")


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "socket", "loop"])
def test_what_is_no_file_is_not_opened(log: Path, kind: str) -> None:
    ODD[kind](log)
    with pytest.raises(OSError, match=r"not a regular file|Too many levels of symbolic links"):
        last_error(log)
