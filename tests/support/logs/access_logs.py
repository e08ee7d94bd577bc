"""Access logs made up for tests and benchmarks, the same ones for the same seed."""

import random
from collections.abc import Callable, Iterator

_PATHS = (
    "/",
    "/news/aggregator",
    "/Members/admin/folder_contents",
    "/++resource++plone-compiled.css",
    "/departments/archive/documents/2026/annual-report/@@images/image",
)
_CLIENTS = (
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36",
)
_CODES = (200,) * 12 + (302, 304, 304, 301, 401, 404, 404, 500, 503)
_METHODS = ("GET",) * 14 + ("POST", "POST", "HEAD")
_RARE = ("PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND")

_DATE = b"[22/Nov/2026:10:37:52 +0000]"
_REQUEST = _DATE + b' "GET / HTTP/1.1"'
HOSTILE = (
    b"",
    b"\r",
    b"-",
    b'"',
    b'""',
    b"\x00" * 300,
    b"\xff\xfe\x00G\x00E\x00T",
    b"Traceback (most recent call last):",
    b'  File "x.py", line 1, in "<module>"',
    b"::1 - - " + _DATE + b' "-" 408 -',
    b"::1 - - " + _DATE + b' "\\x16\\x03\\x01\\x02" 400 226',
    b"::1 - - " + _DATE + b' "\x16\x03\x01\x02" 400 226',
    b"::1 - - " + _DATE + b' "" 400 -',
    b"::1 - - " + _DATE + b' "GET" 400 -',
    b"::1 - - " + _DATE + b' "get / HTTP/1.1" 501 12',
    b"::1 - - " + _DATE + b' "GET /\\\\" 200 12 "-" "-"',
    b"::1 - - " + _DATE + b' "GET /\\" 500 1 HTTP/1.1" 400 12 "-" "-"',
    b"::1 - - " + _DATE + b' "GET /?a="b"%20c HTTP/1.1" 200 856 "http://r/"q" "evil " 500 1 "x"',
    b"2001:db8::1 - Anonymous " + _REQUEST + b' 200 17 "" "Wget"',
    b"203.0.113.7, 198.51.100.2, unknown - - " + _REQUEST + b' 200 17 "-" "Wget"',
    b'"quoted" - - ' + _REQUEST + b' 200 17 "-" "Wget"',
    b"::1 - - " + _REQUEST + b" 304 -\r",
    b"::1 - - " + _REQUEST + b" 304 -rest",
    b"::1 - - " + _REQUEST + b" 200 12345678901",
    b"::1 - - " + _REQUEST + b" 200 " + b"9" * 30,
    b"::1 - - " + _REQUEST + b" 200 -5",
    b"::1 - - " + _REQUEST + b" 200",
    b"::1 - - " + _REQUEST + b" 99 5",
    b"::1 - - " + _REQUEST + b" 099 5",
    b"::1 - - " + _REQUEST + b" 600 5",
    b"::1 - - " + _DATE + b" GET / 200 5",
    "::1 - - [22/févr./2026:10:37:52 -0330]".encode() + b' "GET / HTTP/1.1" 200 5',
    b"::1 - - [22/Nov/2026:10:37:52 0000]" + b' "GET / HTTP/1.1" 200 5',
    b"::1 - - [99/Foo/9999:99:99:99 +9999]" + b' "GET / HTTP/1.1" 200 5',
    b'v/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 5',
    _REQUEST + b" 200 5",
    b" " + _REQUEST + b" 200 5",
    b"::1 - - " + _DATE + b' "GET /' + b"x" * 300_000 + b' HTTP/1.1" 404 9 "-" "-"',
    b"::1 - - " + _DATE + b' "GET /' + b'\\"' * 2_000 + b' HTTP/1.1" 404 9 "-" "-"',
)


def common_lines(seed: int) -> Iterator[bytes]:
    """Endless lines as Apache writes them: 7 of 10 in Common Log Format, the others combined."""
    return _lines(seed, lambda chance: chance.random() < 0.3, escape=True)


def zope_lines(seed: int) -> Iterator[bytes]:
    """Endless lines as Paste's translogger writes them: combined, with no quote escaped."""
    return _lines(seed, lambda _: True, escape=False)


def hostile_lines(seed: int) -> Iterator[bytes]:
    """Endless lines of which one in fifty is malformed, forged or misleading."""
    chance = random.Random(seed)
    for common, zope in zip(common_lines(seed), zope_lines(seed), strict=True):
        yield chance.choice(HOSTILE[:-2]) if chance.random() < 0.02 else common
        yield zope


def _lines(
    seed: int, is_combined: Callable[[random.Random], bool], escape: bool
) -> Iterator[bytes]:
    chance = random.Random(seed)
    second = 0
    while True:
        second += chance.random() < 0.1
        clock = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
        line = f"{_address(chance)} - {chance.choice(('-', 'admin'))} [22/Nov/2026:{clock} +0100] "
        line += f'"{_request(chance, escape)}" {chance.choice(_CODES)} {_size(chance)}'
        if is_combined(chance):
            line += f' "{_referer(chance, escape)}" "{chance.choice(_CLIENTS)}"'
        yield line.encode()


def _address(chance: random.Random) -> str:
    number = chance.getrandbits(32)
    if number % 10 == 0:
        return f"2001:db8::{number >> 16:x}:{number & 0xFFFF:x}"
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _request(chance: random.Random, escape: bool) -> str:
    method = chance.choice(_RARE if chance.random() < 0.01 else _METHODS)
    query = f"?b_start:int={chance.getrandbits(16)}" if chance.random() < 0.2 else ""
    if chance.random() < 0.001:
        query = '?title=\\"quoted\\"' if escape else '?title="quoted"'
    return f"{method} {chance.choice(_PATHS)}/{chance.getrandbits(64):x}{query} HTTP/1.1"


def _referer(chance: random.Random, escape: bool) -> str:
    if chance.random() < 0.001:
        return 'x\\" 500 1 \\"' if escape else 'x" 500 1 "'
    return f"https://www.example.org{chance.choice(_PATHS)}" if chance.random() < 0.6 else "-"


def _size(chance: random.Random) -> str:
    return "-" if chance.random() < 0.2 else str(int(10 ** (chance.random() * 6)))
