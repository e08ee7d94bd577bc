"""Counts the requests of an access log by method and status code, and the bytes of the answers."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from zope_exporter.logs.tail.lines import JSON, UNPARSED_LINES
from zope_exporter.metrics.metric import Metric, Sample

from .durations import DURATION, NATIVE_DURATION, from_json
from .other_lines import Reader, read_known, read_line
from .requests import CODES, METHODS, OTHER, Request, RequestCounts

if TYPE_CHECKING:
    from .apache_format import ApacheFormat
    from .translogger import TransloggerFormat

HAPROXY = "haproxy"
_Feed = Callable[[bytes, RequestCounts], None]

REQUESTS = Metric(
    "zope_http_requests_total",
    "counter",
    "Requests in the access log (errors are missing where zope_access_log_complete is 0), "
    "or counted by the agent inside Zope where no access log is followed.",
    ("site", "log", "method", "code"),
)
RESPONSE_BYTES = Metric(
    "zope_http_response_bytes_total",
    "counter",
    "Bytes of the responses in the access log; those logged without a size count as empty.",
    ("site", "log"),
)

# Exported before the first such request, as increase() does not see the birth of a series: what the
# alerts need, failures to the first one and something that they are a share of. Others are exported
# from their first time on, and remembered; of these a rate lacks what came before the scrape after.
EXPECTED = (("GET", 200), *product(("GET", "HEAD", "POST"), (500, 503)))


class AccessCounter:
    """A LineCounter for Common Log Format, combined format and what Paste and Zope 2 make of them.

    Any other format is given as a string of Apache's LogFormat, as one of Paste's translogger, of
    gunicorn or nginx, or as `haproxy`; raises ValueError, with the reason, if that is not
    understood. The other lines of a `shared` file are records of the event log.
    """

    def __init__(self, format: str | None = None, shared: bool = False) -> None:  # noqa: A002
        self._feed, self._has_size, self._has_duration = _reader(format)
        self._shared = shared
        self._counts = RequestCounts()

    @property
    def metrics(self) -> Sequence[Metric]:
        sized = [RESPONSE_BYTES] * self._has_size
        timed = [DURATION, NATIVE_DURATION] if self._tells_durations else []
        return (REQUESTS, *sized, UNPARSED_LINES, *timed)

    @property
    def _tells_durations(self) -> bool:
        """Whether the format has durations, or lines had them of which no format was told."""
        return self._has_duration or self._counts.durations.seen > 0

    def feed(self, block: bytes) -> None:
        unparsed = self._counts.unparsed
        self._feed(block, self._counts)
        if self._shared:
            self._counts.unparsed = unparsed

    def skip(self) -> None:
        self._counts.unparsed += 1

    def save(self) -> Mapping[str, JSON]:
        return {
            "requests": {
                f"{method} {code}": count for (method, code), count in self._counts.requests.items()
            },
            "response_bytes": self._counts.response_bytes,
            "unparsed": self._counts.unparsed,
            "durations": self._counts.durations.save() if self._tells_durations else None,
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        requests = state.get("requests")
        if not isinstance(requests, Mapping):
            raise ValueError("the counters of an access log have no requests")
        self._counts = RequestCounts(
            Counter({_kind(name): _count(count) for name, count in requests.items()}),
            _count(state.get("response_bytes")),
            _count(state.get("unparsed")),
            from_json(state.get("durations")),
        )

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        requests = {**dict.fromkeys(EXPECTED, 0), **self._counts.requests}
        for (method, code), count in requests.items():
            yield REQUESTS(count, site=site, log=log, method=method, code=str(code))
        if self._has_size:
            yield RESPONSE_BYTES(self._counts.response_bytes, site=site, log=log)
        yield UNPARSED_LINES(self._counts.unparsed, site=site, log=log)
        if self._tells_durations:
            yield from self._counts.durations.samples(site, log)


def _reader(text: str | None) -> tuple[_Feed, bool, bool]:
    """What counts the lines of a block of a format; whether they have a size, and a duration."""
    # Imported where a log is followed: numpy takes 13 MB, which others need not pay.
    from . import clf, haproxy

    if text == HAPROXY:
        return haproxy.count, True, True
    own = _own_format(text) if text else None
    if own is None:
        return partial(clf.count, read=partial(read_known, read=clf.read_line)), True, False
    if not own.is_common:
        each = partial(_count_each, partial(read_line, read=own.read_line))
        return each, own.has_size, own.has_duration
    if not own.has_duration:
        known = partial(read_known, read=clf.read_line)
        return partial(clf.count, read=known), own.has_size, False
    known = partial(read_known, read=partial(_read_timed, clf.read_line, own.read_line))
    if own.read_rest is None:
        return partial(_count_each, known), own.has_size, True
    return partial(clf.count, read=known, read_rest=own.read_rest), own.has_size, True


def _own_format(text: str) -> "ApacheFormat | TransloggerFormat":
    from .apache_format import ApacheFormat
    from .other_servers import as_apache
    from .translogger import TransloggerFormat, is_of_translogger

    translated = as_apache(text)
    if translated is None and is_of_translogger(text):
        return TransloggerFormat(text)
    return ApacheFormat(translated or text)


def _read_timed(read: Reader, read_own: Reader, line: bytes) -> Request | None:
    """Read a line as without its duration, so that this costs no request where it does not fit."""
    request = read(line)
    own = read_own(line) if request else None
    return request and request._replace(duration=own.duration if own else None)


def _count_each(read: Reader, block: bytes, counts: RequestCounts) -> None:
    for line in block.split(b"\n")[:-1]:
        counts.add(read(line))


def _kind(name: str) -> tuple[str, int]:
    method, _, code = name.partition(" ")
    if (method not in METHODS and method != OTHER) or int(code) not in CODES:
        raise ValueError(f"the counters of an access log have requests of the kind {name!r}")
    return method, int(code)


def _count(value: JSON) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count of an access log")
    return value
