"""Lines of HAProxy's HTTP log format, behind whatever a syslog daemon puts in front of them."""

import re

from .durations import MILLISECONDS, duration_of
from .requests import Request, RequestCounts, make_request

_DATE = re.compile(rb"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3}\.[0-9]{3}\] ")
# Frontend, backend and server, five times of which the last is that of all, status and size, two
# cookies, how it ended, connections and queues; then what was captured of headers, if anything, and
# the request.
_REST = re.compile(
    rb"[^ ]{1,200} [^ ]{1,200}/[^ ]{1,200} (?:\+?-?[0-9]{1,12}/){4}(?P<duration>\+?-?[0-9]{1,12}) "
    rb"(?P<code>[0-9]{3}) \+?(?P<size>[0-9]{1,18}) [^ ]{1,500} [^ ]{1,500} [A-Za-z-]{4} "
    rb"(?:[0-9]{1,9}/){4}\+?[0-9]{1,9} [0-9]{1,9}/[0-9]{1,9} "
    rb'(?:\{[^"]{0,4000}\} )?"(?P<method>[^ "]{1,100})[ "]'
)


def read_line(line: bytes) -> Request | None:
    """Read a line without its newline; None if it is of another form or had no answer."""
    date = _DATE.search(line)
    rest = _REST.match(line, date.end()) if date else None
    if rest is None:
        return None
    request = make_request(rest["method"], rest["code"], rest["size"])
    # With a sign it is not over yet, or never was.
    return request and request._replace(duration=duration_of(rest["duration"], MILLISECONDS))


def count(block: bytes, counts: RequestCounts) -> None:
    """Add what the lines of `block`, each ending in a newline, tell to `counts`."""
    for line in block.split(b"\n")[:-1]:
        counts.add(read_line(line))
