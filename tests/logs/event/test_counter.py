"""Records of event logs are counted exactly, however the log comes to us."""

import json

import pytest

from tests.support.logs.event_counts import matches, records, unparsed
from tests.support.logs.event_samples import PLONE, RAISED, ZOPE2, ZOPE6
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.event.fields import SEVERITIES
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS


def count(*blocks: bytes) -> EventCounter:
    counter = EventCounter()
    for block in blocks:
        counter.feed(block)
    return counter


def restarted(counter: EventCounter) -> EventCounter:
    """What another process makes of the stored state."""
    successor = EventCounter()
    successor.load(json.loads(json.dumps(counter.save())))
    return successor


def test_everything_known_is_there_from_the_start() -> None:
    names = {sample.labels[2:]: sample.value for sample in EventCounter().samples("s", "l")}
    assert set(names.values()) == {0}
    assert {(name,) for name in SEVERITIES} < names.keys()
    assert {(pattern.name,) for pattern in KNOWN_PATTERNS} < names.keys()


def test_records_of_zope_2() -> None:
    counter = count(ZOPE2)
    assert records(counter) == {"INFO": 1, "CRITICAL": 1, "WARNING": 1, "ERROR": 1}
    assert matches(counter) == {"POSKeyError": 1}
    assert unparsed(counter) == 0


def test_records_since_zope_4() -> None:
    counter = count(ZOPE6)
    assert records(counter) == {"INFO": 1, "WARNING": 2, "ERROR": 1}
    found = {"started": 1, "task_queue_depth": 2, "load_failed": 1, "POSKeyError": 1}
    assert matches(counter) == found


def test_records_of_plone() -> None:
    counter = count(PLONE)
    expected = {"INFO": 1, "CRITICAL": 1, "BLATHER": 1, "TRACE": 2, "DEBUG": 1, "other": 1}
    assert records(counter) == expected
    assert matches(counter) == {"pool_size": 1}


@pytest.mark.parametrize("text", [ZOPE2, ZOPE6, PLONE])
def test_lines_that_end_as_on_windows(text: bytes) -> None:
    in_pieces = [line + b"\r\n" for line in text.splitlines()]
    for counter in (count(b"".join(in_pieces)), count(*in_pieces)):
        assert records(counter) == records(count(text))
        assert matches(counter) == matches(count(text))
        assert unparsed(counter) == 0


@pytest.mark.parametrize("zone", ["Z", "+01:00", "-0800", " +0100", " -08:00"])
def test_the_zone_of_a_date(zone: str) -> None:
    record = f"2024-01-02 10:00:00.123{zone} ERROR    [waitress:408][waitress-0] x\n".encode()
    assert records(count(ZOPE6, record)) == {"INFO": 1, "WARNING": 2, "ERROR": 2}


def test_an_upgrade_changes_the_format_within_one_log() -> None:
    assert sum(records(count(ZOPE2, ZOPE6 + PLONE)).values()) == 15


def test_what_waitress_logs_twice_counts_once() -> None:
    first, second = RAISED % 1, RAISED % 2
    for blocks in (
        (first + first,),
        (first, first),
        (first[:-20], first[-20:] + first[:-20], first[-20:]),
        (first + second + first + second,),
        (first + ZOPE6[:72] + first,),
    ):
        served = 2 if second in b"".join(blocks) else 1
        counter = count(*blocks, PLONE)
        assert records(counter)["ERROR"] == served
        assert matches(counter)["unhandled_exception"] == served
        assert matches(counter)["conflict_failed"] == served


def test_the_same_failure_again_within_a_second_counts_again() -> None:
    assert records(count((RAISED % 1) * 6)) == {"ERROR": 3}


def test_other_loggers_may_repeat_themselves() -> None:
    assert records(count(RAISED.replace(b"waitress:", b"Zope:") % 1 * 3)) == {"ERROR": 3}


def test_a_restart_between_any_two_lines_changes_nothing() -> None:
    again = b"ZODB.POSException.POSKeyError: 0x01\n" * 3
    log = ZOPE2 + again + ZOPE6 + again + RAISED % 1 + again + RAISED % 1 + again + PLONE
    expected = count(log).save()
    lines = log.splitlines(keepends=True)
    for cut in range(1, len(lines)):
        counter = restarted(count(b"".join(lines[:cut])))
        counter.feed(b"".join(lines[cut:]))
        assert counter.save() == expected


def test_lines_before_the_first_record_are_unparsed() -> None:
    assert unparsed(count(b"  of a traceback\n\xff\x00\n\n", ZOPE6)) == 3
    assert unparsed(count(b"------\n", b"------\n" + ZOPE2, b"\n")) == 2


def test_a_line_that_was_too_long_is_unparsed() -> None:
    counter = count(ZOPE6)
    counter.skip()
    counter.feed(ZOPE6)
    assert unparsed(counter) == 1
    assert records(counter)["INFO"] == 2


def test_a_huge_traceback_is_one_record() -> None:
    counter = count(ZOPE6)
    for _ in range(100):
        counter.feed(b'  File "x.py", line 1, in f\n    POSKeyError\n' * 200)
    assert records(counter)["ERROR"] == 1
    assert matches(counter)["POSKeyError"] == 1


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-22 10:37:51 " + b" " * 30_000 + b"x\n",
        b"2026-11-22 10:37:51 " + b"A" * 30_000 + b"\n",
        b"2026-11-22 " * 3000 + b"\n",
        b"\n" * 30_000,
        b"------\n" * 5000,
        b"\x00" * 30_000 + b"\n",
        b"ConflictError at " * 3000 + b"\n",
    ],
    ids=["blanks", "capitals", "dates", "empty lines", "separators", "NUL", "half a pattern"],
)
def test_hostile_lines_belong_to_the_record_before(line: bytes) -> None:
    counter = count(ZOPE6, line * 20, ZOPE6)
    assert sum(records(counter).values()) == 8
    assert unparsed(counter) == 0


def test_absurd_dates_count() -> None:
    dates = (b"1970-01-01 00:00:00", b"9999-99-99 99:99:99", b"2026-02-31 24:61:61")
    assert records(count(*(date + b" INFO [a:1][x] y\n" for date in dates))) == {"INFO": 3}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {**EventCounter().save(), "records": 1},
        {**EventCounter().save(), "matches": {"POSKeyError": -1}},
        {**EventCounter().save(), "records": {"INFO": "1"}},
        {**EventCounter().save(), "doubled": {}},
        {**EventCounter().save(), "found": "POSKeyError"},
    ],
)
def test_the_state_of_something_else_is_refused(state: dict[str, object]) -> None:
    counter = count(ZOPE6)
    before = counter.save()
    with pytest.raises(ValueError, match="not the "):
        counter.load(json.loads(json.dumps(state)))
    assert counter.save() == before


def test_a_pattern_that_is_new_or_gone_leaves_the_others_alone() -> None:
    old = EventCounter(patterns={"gone": "Zope", "kept": "Zope"})
    old.feed(ZOPE6)
    new = EventCounter(patterns={"kept": "Zope", "new": "Task"})
    new.load(old.save())
    new.feed(ZOPE6)
    assert (matches(new)["kept"], matches(new)["new"]) == (2, 2)
    assert "gone" not in matches(new)


REQUEST = b'127.0.0.1 - - [29/Nov/2026:20:10:00 +0000] "GET /POSKeyError HTTP/1.1" 200 5\n'
LOGGED_REQUEST = b"2026-11-22 10:37:55 INFO [wsgi:256][waitress-0] " + REQUEST


def test_what_visitors_ask_for_is_no_match() -> None:
    counter = count(ZOPE6 + LOGGED_REQUEST * 2, LOGGED_REQUEST, ZOPE2.replace(b"wsgi", b"x"))
    assert records(counter)["INFO"] == 5
    assert matches(counter) == matches(count(ZOPE6, ZOPE2))


def test_requests_in_a_file_of_both_logs_are_none_of_ours() -> None:
    shared = EventCounter(shared=True)
    for block in (REQUEST * 3, ZOPE6 + REQUEST, REQUEST + LOGGED_REQUEST, ZOPE6):
        shared.feed(block)
    assert records(shared) == {**records(count(ZOPE6, ZOPE6)), "INFO": 3}
    assert matches(shared) == matches(count(ZOPE6, ZOPE6))
    assert unparsed(shared) == 0
    assert unparsed(count(REQUEST * 3)) == 3


@pytest.mark.parametrize(
    ("text", "log", "expected"),
    [
        ("%(asctime)s %(message)s", b"2024-03-04T10:00:00 POSKeyError\n  more POSKeyError\n", 1),
        ("%(process)d: %(message)s", b"17: POSKeyError\nPOSKeyError\n18: x\n", 1),
        ("------\n%(name)s %(message)s", b"------\nZODB POSKeyError\n------\nx POSKeyError\n", 2),
        ("{asctime}: {message}", b"2024-03-04 10:00:00,123: POSKeyError\n", 1),
        ("%(message)s", b"POSKeyError\n  in POSKeyError\nTraceback (most\n", 1),
        ("%(name)s %(message)s", b"x POSKeyError\ny POSKeyError\n", 2),
        ("%(message)s %(levelname)s", b"POSKeyError ERROR\n", 1),
    ],
)
def test_patterns_need_no_level(text: str, log: bytes, expected: int) -> None:
    for blocks in ([log], log.splitlines(keepends=True)):
        counter = EventCounter(text)
        for block in blocks:
            counter.feed(block)
        assert matches(counter) == {"POSKeyError": expected}
        assert records(counter).keys() <= {"other"}
        assert unparsed(counter) == 0


def test_records_without_a_level_are_of_no_known_severity() -> None:
    counter = EventCounter("%(asctime)s %(message)s")
    counter.feed(b"begun before\n2024-03-04T10:00:00 ERROR x\n  more\n2024-03-04T10:00:01 y\n")
    assert records(counter) == {"other": 2}
    assert unparsed(counter) == 1
