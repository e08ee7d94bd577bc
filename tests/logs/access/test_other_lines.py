"""Requests are counted alike, whatever has passed their lines on, in whatever format."""

import io
import json
import logging
import random
from collections.abc import Mapping
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonjsonlogger.json import JsonFormatter

from tests.logs.access.test_counter import values
from tests.support.logs.access_logs import hostile_lines, zope_lines
from tests.support.logs.wrapped import WHOLE_LINES, Wrap, cut
from zope_exporter.logs.access.counter import REQUESTS, RESPONSE_BYTES, AccessCounter
from zope_exporter.logs.access.durations import DURATION, NATIVE_DURATION
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.metrics.metric import Metric

Values = Mapping[Metric, Mapping[tuple[str, ...], float]]

ZOPE = b"".join(line + b"\n" for line in islice(zope_lines(1), 300))
PASTE = "%(REMOTE_ADDR)s %(REQUEST_METHOD)s %(REQUEST_URI)s %(status)s %(bytes)s"
FORMATS = ("%{X-Forwarded-For}i %m %U %>s %b", PASTE)
OWN = b"10.0.0.1 GET /a 200 5\n10.0.0.2 POST /b 500 -\n"
OWN_VALUES = {REQUESTS: {("GET", "200"): 1, ("POST", "500"): 1}, RESPONSE_BYTES: {(): 5}}
HAPROXY = (
    b"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - "
    b'---- 1/1/1/1/0 0/0 {1wt.eu|a b} {} "GET /index.html HTTP/1.1"\n'
)
NO_SERVER = (
    b"::1:33317 [06/Feb/2009:12:14:14.655] https~ zope/<NOSRV> 0/-1/-1/-1/+0 503 +212 - - "
    b'SC-- 2/2/0/0/+3 0/0 "POST https://x/y HTTP/2.0"\n'
)
# A mere time may be the beginning of a line in a format that is given.
CLEAR = {name: wrap for name, wrap in WHOLE_LINES.items() if name != "docker logs --timestamps"}
NO_ANSWER = HAPROXY.replace(b" 200 2750 ", b" -1 0 ")
HAPROXY_VALUES = {
    REQUESTS: {("GET", "200"): 1, ("POST", "503"): 1},
    RESPONSE_BYTES: {(): 2962},
    DURATION: {(): 1},  # of the one that was answered
    NATIVE_DURATION: {(): 1},
}


def counted(text: bytes, form: str | None = None, shared: bool = False) -> Values:
    counter = AccessCounter(form, shared)
    for block in cut(text, random.Random(1)):
        counter.feed(block)
    return values(counter)


@pytest.mark.parametrize("wrap", WHOLE_LINES.values(), ids=WHOLE_LINES)
def test_what_is_around_the_lines_changes_nothing(wrap: Wrap) -> None:
    assert counted(wrap(ZOPE)) == counted(ZOPE)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("wrap", CLEAR.values(), ids=CLEAR)
def test_nor_around_lines_of_another_format(form: str, wrap: Wrap) -> None:
    assert counted(wrap(OWN), form) == OWN_VALUES


@pytest.mark.parametrize("wrap", [bytes, *WHOLE_LINES.values()], ids=["plain", *WHOLE_LINES])
def test_requests_that_a_json_formatter_writes(wrap: Wrap) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    wsgi = logging.Logger("wsgi")
    wsgi.addHandler(handler)
    for line in ZOPE.splitlines():
        wsgi.info("%s", line.decode("latin-1"))
    assert counted(wrap(stream.getvalue().encode())) == counted(ZOPE)


def test_the_prefix_of_a_handler() -> None:
    prefix = b"2026-11-22 10:37:51,123 INFO    [wsgi:256][waitress-0] "
    handler = "%(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] "
    for text, form in ((ZOPE, None), (OWN, handler + PASTE)):
        lines = [prefix + line for line in text.splitlines(keepends=True)]
        assert counted(b"".join(lines), form) == (OWN_VALUES if form else counted(text))


@pytest.mark.parametrize(
    "form",
    [
        '%(REMOTE_ADDR)s - %(REMOTE_USER)s [%(time)s] "%(REQUEST_METHOD)s %(REQUEST_URI)s '
        '%(HTTP_VERSION)s" %(status)s %(bytes)s "%(HTTP_REFERER)s" "%(HTTP_USER_AGENT)s"',
        '%(REMOTE_ADDR)s - - [%(time)s] "%(REQUEST_METHOD)s %(REQUEST_URI)s %(HTTP_VERSION)s" '
        "%(status)s %(bytes)s",
    ],
)
def test_formats_of_translogger_that_hold_the_common_one(form: str) -> None:
    assert counted(ZOPE, form) == counted(ZOPE)


def test_a_format_of_translogger_without_a_size() -> None:
    form = "%(status)s %(REQUEST_METHOD)-7s 100%% %(REQUEST_URI)s %(status)s"
    counter = AccessCounter(form)
    assert RESPONSE_BYTES not in counter.metrics
    counter.feed(b"404 GET 100% /a 200\nno 404\n")
    assert values(counter) == {REQUESTS: {("GET", "404"): 1}, UNPARSED_LINES: {(): 1}}


@pytest.mark.parametrize(
    ("form", "missing"),
    [("%(status)s %(bytes)s", "REQUEST_METHOD"), ("%(REQUEST_METHOD)s %(time)s", "status")],
)
def test_a_format_of_translogger_that_leaves_out_what_is_counted(form: str, missing: str) -> None:
    with pytest.raises(ValueError, match=rf"has no %\({missing}\)s: add it"):
        AccessCounter(form)


@settings(deadline=None)
@given(st.text(alphabet='%()s %REQUEST_METHODstatusbytes[]"\\é\n', max_size=60))
def test_any_text_around_the_fields_of_translogger(text: str) -> None:
    counter = AccessCounter(f"{text} %(REQUEST_METHOD)s %(status)s")
    counter.feed(b"GET 200\n")
    assert sum(sample.value for sample in counter.samples("site", "log")) == 1


@pytest.mark.parametrize("form", ["haproxy", None])
@pytest.mark.parametrize(
    "before",
    [b"", b"Feb  6 12:14:14 localhost haproxy[14389]: ", b"<134>Feb  6 12:14:14 haproxy[1]: "],
)
def test_haproxy_is_unmistakable(form: str | None, before: bytes) -> None:
    assert counted(before + HAPROXY + before + NO_SERVER, form) == HAPROXY_VALUES


@pytest.mark.parametrize("form", ["haproxy", None])
@pytest.mark.parametrize(
    "line",
    [
        NO_ANSWER,
        b"Feb  6 12:14:14 localhost haproxy[1]: Server static/srv1 is DOWN.\n",
        HAPROXY.replace(b"----", b"--"),
        HAPROXY.replace(b"10/0/30/69/109", b"10/0/30/69"),
        HAPROXY.replace(b".655", b""),
        b"[06/Feb/2009:12:14:14.655] " * 5000 + b"\n",
        HAPROXY.replace(b"1wt.eu", b"x} {" * 5000),
    ],
)
def test_what_haproxy_says_of_no_request(line: bytes, form: str | None) -> None:
    assert counted(line, form) == {UNPARSED_LINES: {(): 1}}


def test_with_a_format_given_nothing_else_is_a_request() -> None:
    assert counted(ZOPE, "haproxy") == {UNPARSED_LINES: {(): 300}}
    assert counted(HAPROXY, "%h %m %>s") == {UNPARSED_LINES: {(): 1}}


def test_other_lines_of_a_shared_file_are_not_ours() -> None:
    record = b"2026-11-22 10:37:54 ERROR [waitress:437][waitress-1] x\nTraceback:\n  x\n"
    counter = AccessCounter(shared=True)
    counter.feed(record + ZOPE + record)
    counter.skip()
    assert values(counter) == {**counted(ZOPE), UNPARSED_LINES: {(): 1}}


@pytest.mark.parametrize(
    "line",
    [
        b'{"message": "GET / 200"}',
        b'{"message": 5}',
        b'{"log": "", "stream": "", "time": ""}',
        b'{"message": "{\\"message\\": \\"{}\\"}"}',
        b"{" * 5000,
        b'{"a":' * 5000 + b'""',
        b"\x1b[31m" * 5000,
    ],
)
def test_lines_that_tell_of_no_request(line: bytes) -> None:
    assert counted(line + b"\n" + ZOPE) == {**counted(ZOPE), UNPARSED_LINES: {(): 1}}


def test_what_a_visitor_writes_is_not_unwrapped() -> None:
    agent = json.dumps({"message": ZOPE.splitlines()[0].decode("latin-1")}).encode()
    lines = [line.rpartition(b'"')[0] + agent + b'"\n' for line in islice(hostile_lines(1), 50)]
    assert sum(counted(b"".join(lines)).get(REQUESTS, {}).values()) <= 50
