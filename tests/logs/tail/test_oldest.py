import time

import pytest

from zope_exporter.logs.tail.oldest import first_timestamp

LOCAL = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'127.0.0.1 - admin [31/Jan/2026:12:00:00 +0100] "GET / HTTP/1.1" 200 5', 1769857200),
        (b'::1, ::2 - "a [b" [31/Jan/2026:12:00:00 -0130] "GET / HTTP/1.1"', 1769866200),
        (b"2026-01-31 12:00:00 INFO [Zope:44][MainThread] Ready", LOCAL),
        (b"2026-01-31 12:00:00,123 INFO Zope Ready", LOCAL),
        (b"------\n2026-01-31T12:00:00 INFO(0) Zope Ready", LOCAL),
        (b"------\r\n2026-01-31T12:00:00 INFO(0) Zope Ready", LOCAL),
        (b"2026-01-31T12:00:00Z INFO Zope", 1769860800),
        (b"2026-01-31T12:00:00.5+01:00 INFO Zope", 1769857200),
        (b"2026-02-31 12:00:00 INFO Zope", None),
        (b'::1 - - [31/Foo/2026:12:00:00 +0100] "GET /', None),
        (b'::1 - - [31/Jan/2026:12:00:99 +0100] "GET /', None),
        (b"Traceback (most recent call last):\n2026-01-31 12:00:00 INFO", None),
        (b"\xff\x00" * 2000, None),
        (b"", None),
    ],
)
def test_first_timestamp(head: bytes, expected: float | None) -> None:
    assert first_timestamp(head) == expected
