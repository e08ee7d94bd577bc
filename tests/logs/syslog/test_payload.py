import pytest

from tests.support.logs.syslog import NOON
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog.message import parse
from zope_exporter.logs.syslog.payload import EventRecords, access_line

CLF = b'127.0.0.1 - admin [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 230'
BARE = b"2026-05-28 20:26:40 "


def records(*datagrams: bytes, tag: str | None = None) -> bytes:
    """What the datagrams are as a log file."""
    of_event_log = EventRecords(tag, lambda: NOON)
    return b"".join(of_event_log.lines(parse(datagram)) for datagram in datagrams)


@pytest.mark.parametrize(
    "datagram",
    [
        b"<134>" + CLF + b"\0",
        b"<132>access " + CLF + b"\0",
        b"<134>wsgi " + CLF + b"\0",
        b"<134>ZServer[12]: " + CLF + b"\0",
        b"<134>Nov 22 19:21:05 host " + CLF,
        b"<134>Nov 22 19:21:05 host zope: " + CLF,
        b"<134>1 2026-11-22T10:00:00Z host zope 12 - - " + CLF,
        b"<134>1 2026-11-22T10:00:00Z host 127.0.0.1 - - -  " + CLF.partition(b" ")[2],
    ],
)
def test_a_request_is_the_same_however_it_is_sent(datagram: bytes) -> None:
    assert access_line(parse(datagram)) == CLF + b"\n"


def test_a_message_is_one_request() -> None:
    assert access_line(parse(b"<134>a\nb\n\n")) == b"a b\n"


def test_a_client_whose_name_is_that_of_the_logger() -> None:
    line = b"access" + CLF.removeprefix(b"127.0.0.1")
    assert access_line(parse(b"<134>" + line)) == line + b"\n"


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (
            b"<11>2026-11-22 10:37:51,471 INFO    [Zope:42][MainThread] Ready\0",
            b"2026-11-22 10:37:51,471 INFO    [Zope:42][MainThread] Ready\n",
        ),
        (
            b"<11>zope: 2026-11-22 10:37:51 BLATHER [Zope:42][MainThread] Ready\0",
            b"2026-11-22 10:37:51 BLATHER [Zope:42][MainThread] Ready\n",
        ),
        (
            b"<11>------\n2026-11-22T10:37:51 PANIC Zope gone\nTraceback\0",
            b"------\n2026-11-22T10:37:51 PANIC Zope gone\nTraceback\n",
        ),
        (
            b"<14>2026-11-22T10:37:51 INFO Zope Ready\0",
            b"------\n2026-11-22T10:37:51 INFO Zope Ready\n",
        ),
        (b"<10>disk on fire\0", b"------\n" + BARE + b"CRITICAL syslog disk on fire\n"),
        (b"<12>zope[8]: slow", b"------\n" + BARE + b"WARNING zope slow\n"),
        (
            b"<11>POSKeyError: 0x12\0",
            b"------\n" + BARE + b"ERROR syslog POSKeyError: 0x12\n",
        ),
        (
            b"<11>Nov 22 19:21:05 host zope: a#012  b#011c",
            b"------\n" + BARE + b"ERROR syslog zope: a\n  b\tc\n",
        ),
        (b"<11>issue #012\0", b"------\n" + BARE + b"ERROR syslog issue #012\n"),
        (b"<14>\0", b""),
    ],
)
def test_a_message_becomes_a_record(datagram: bytes, expected: bytes) -> None:
    assert records(datagram) == expected


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(0, "CRITICAL"), (2, "CRITICAL"), (3, "ERROR"), (4, "WARNING"), (5, "INFO"), (7, "DEBUG")],
)
def test_the_priority_gives_the_severity_a_payload_lacks(severity: int, expected: str) -> None:
    assert f" {expected} ".encode() in records(b"<%d>x" % (8 + severity))


def test_the_configured_tag_is_no_part_of_the_message() -> None:
    assert records(b"<11>zope: gone", tag="zope") == b"------\n" + BARE + b"ERROR zope gone\n"


def test_what_a_message_says_makes_no_second_record() -> None:
    log = records(b"<11>x\n2026-11-22 10:37:51 PANIC [a:1][b] made up\n------\n2026-11-22 x")
    counter = EventCounter()
    counter.feed(log)
    assert counter.save()["records"] == EventCounter().save()["records"] | {"ERROR": 1}  # type: ignore[operator]


TRACEBACK = [
    b"2026-11-22 10:37:51 ERROR [Zope:42][MainThread] Exception",
    b"Traceback (most recent call last):",
    b'  File "x.py", line 1, in f',
    b"    raise ValueError",
    b"ValueError: boom",
    b"2026-11-22 10:37:52 INFO [Zope:42][MainThread] well again",
    b"a bare message",
]


@pytest.mark.parametrize("header", [b"<14>", b"<14>Nov 22 19:21:05 host root: "])
def test_a_traceback_sent_line_by_line_is_one_record(header: bytes) -> None:
    log = records(*[header + line for line in TRACEBACK], tag="root")
    assert log.startswith(b"\n".join(TRACEBACK[:-1]) + b"\n------\n" + BARE + b"INFO ")


def test_the_event_counter_understands_every_record() -> None:
    counter = EventCounter()
    for datagram in (
        b"<10>disk on fire",
        b"<14>2026-11-22T10:37:51 INFO Zope Ready",
        b"<11>------\n2026-11-22T10:37:51 PANIC Zope POSKeyError: 0x1\nTraceback",
        b"<11>2026-11-22 10:37:51,471 BLATHER [Zope:42][MainThread] Ready",
        b"<11>POSKeyError: 0x12",
    ):
        counter.feed(records(datagram))
    samples = {sample.labels[2:]: sample.value for sample in counter.samples("", "")}
    assert samples[("CRITICAL",)] == 2
    assert samples[("INFO",)] == samples[("BLATHER",)] == samples[("ERROR",)] == 1
    assert samples[("POSKeyError",)] == 2
    assert samples[()] == 0
