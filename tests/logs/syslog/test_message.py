import logging.handlers

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.logs.syslog import NOON
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog.message import (
    FACILITIES,
    EventRecords,
    Message,
    Route,
    SyslogSettings,
    access_line,
    parse,
)


def told(datagram: bytes) -> tuple[int, int, bytes, bytes]:
    message = parse(datagram)
    return message.facility, message.severity, message.tag, message.body


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (b"<14>Ready to handle requests\0", (1, 6, b"", b"Ready to handle requests")),
        (b"<134>\xef\xbb\xbfReady\0", (16, 6, b"", b"Ready")),
        (b"<14>ZServer[81]: 127.0.0.1 - x\0", (1, 6, b"ZServer", b"127.0.0.1 - x")),
        (b"<11>zope: gone", (1, 3, b"zope", b"gone")),
        (b"<13>Nov 22 19:21:05 root: hello", (1, 5, b"root", b"hello")),
        (b"<13>Nov  2 19:21:05 host root: hello", (1, 5, b"root", b"hello")),
        (b"<13>Nov  2 2026 19:21:05 host root[3]: hello", (1, 5, b"root", b"hello")),
        (b"<13>Nov 22 19:21:05 host no tag", (1, 5, b"", b"no tag")),
        (b"<13>Nov 22 19:21:05 2001:db8::1 zope: x", (1, 5, b"zope", b"x")),
        (b"<13>2026-11-22T10:00:00.123456+00:00 host zope: x: y", (1, 5, b"zope", b"x: y")),
        (b"<13>2026-11-22T10:00:00 INFO Zope x", (1, 5, b"", b"2026-11-22T10:00:00 INFO Zope x")),
        (b"<165>1 2026-11-22T10:00:00.1Z host app 12 id - text", (20, 5, b"app", b"text")),
        (b"<165>1 - - - - - - \xef\xbb\xbftext", (20, 5, b"-", b"text")),
        (b"<165>1 - - app - - -", (20, 5, b"app", b"")),
        (b'<165>1 - - app - - [a b="]\\"\\]"][c] text]', (20, 5, b"app", b"text]")),
        (b'<165>1 - - app - - [a b="] text', (20, 5, b"", b'1 - - app - - [a b="] text')),
        (b"no priority", (1, 5, b"", b"no priority")),
        (b"<192>none either", (1, 5, b"", b"<192>none either")),
        (b"<14>", (1, 6, b"", b"")),
        (b"", (1, 5, b"", b"")),
        (b"\0\0\n", (1, 5, b"", b"")),
        (b"<14>\xff\xfe\x00a\x80", (1, 6, b"", b"\xff\xfe\x00a\x80")),
    ],
)
def test_every_sender_is_understood(
    datagram: bytes, expected: tuple[int, int, bytes, bytes]
) -> None:
    assert told(datagram) == expected


def test_a_word_with_a_colon_may_be_a_tag_or_the_message() -> None:
    message = parse(b"<11>POSKeyError: 0x12")
    assert (message.text, message.body) == (b"POSKeyError: 0x12", b"0x12")
    assert not message.certain


def test_what_rsyslog_took_for_a_tag_is_kept() -> None:
    message = parse(b"<134>1 2026-11-22T10:00:00Z host 127.0.0.1 - - -  - - [22/Nov")
    assert message == Message(
        16, 6, b"127.0.0.1", False, True, b"127.0.0.1 - - [22/Nov", b"- - [22/Nov"
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message(datagram: bytes) -> None:
    message = parse(datagram)
    assert 0 <= message.facility <= 23
    assert 0 <= message.severity <= 7
    assert message.text.endswith(message.body)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<1>1 - - a - - " + b'[a="' * 16_000,
        b"<1>1 - - a - - [" + b'"\\' * 32_000,
        b"<1>1 - - a - - " + b"[]" * 32_000 + b"x",
        b"<1>" + b"[" * 65_000,
        b"<1>Nov 22 19:21:05 " + b"a" * 65_000,
    ],
)
def test_hostile_datagrams_are_payload(hostile: bytes) -> None:
    assert len(parse(hostile).text) > 60_000


def test_facilities_have_the_numbers_senders_give_them() -> None:
    theirs = logging.handlers.SysLogHandler.facility_names
    assert {name: theirs[name] for name in FACILITIES if name in theirs} == {
        name: code for name, code in FACILITIES.items() if name in theirs
    }
    assert {"local0", "local7", "user", "daemon", "auth"} <= theirs.keys() & FACILITIES.keys()


@pytest.mark.parametrize(
    ("settings", "datagram", "log"),
    [
        (SyslogSettings(""), b"<134>x", "access"),
        (SyslogSettings(""), b"<14>x", "event"),
        (SyslogSettings(""), b"no priority", "event"),
        (SyslogSettings(""), b"<30>x", None),
        (SyslogSettings("", access=Route(tag="z2")), b"<14>z2[1]: x", "access"),
        (SyslogSettings("", access=Route(tag="z2")), b"<14>z3[1]: x", "event"),
        (SyslogSettings("", access=Route("local3", "z2")), b"<158>z2: x", "access"),
        (SyslogSettings("", access=Route("local3", "z2")), b"<158>z3: x", None),
        (SyslogSettings("", event=Route()), b"<14>x", None),
    ],
)
def test_facility_or_tag_tells_the_log(
    settings: SyslogSettings, datagram: bytes, log: str | None
) -> None:
    assert settings.log_of(parse(datagram)) == log


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
