import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.logs.syslog.message import Message, parse


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
