"""Requests and worker threads of a Zope, from its agent."""

import re
from collections.abc import Iterator

from zope_exporter.metrics.metric import Metric, Sample

from .answer import Answer

ZOPE = ("site", "zope")
OTHER = "other"
CODES = "200", "302", "304", "400", "401", "403", "404", "500", "503"
MOST_EXCEPTIONS = 100

IN_PROGRESS = Metric(
    "zope_requests_in_progress", "gauge", "Requests that worker threads are busy with.", ZOPE
)
OLDEST_START = Metric(
    "zope_request_oldest_start_timestamp_seconds",
    "gauge",
    "When the request that runs for longest began, in seconds since the epoch; absent while none"
    " runs.",
    ZOPE,
)
LONG = Metric(
    "zope_requests_long",
    "gauge",
    "Requests in progress for longer than zope_request_long_threshold_seconds; their URLs and"
    " stacks are at /api/v1/instances/NAME/requests.",
    ZOPE,
)
LONG_THRESHOLD = Metric(
    "zope_request_long_threshold_seconds",
    "gauge",
    "Time after which the agent calls a request long.",
    ZOPE,
)
DURATION = Metric(
    "zope_request_duration_seconds",
    "histogram",
    "Time from the beginning of a request in a worker thread to the end of its answer, or until the"
    " server has a file that it sends by itself.",
    ZOPE,
)
RESPONSES = Metric(
    "zope_wsgi_responses_total",
    "counter",
    "Answers by status code as clients were really sent them, also where the access log has none.",
    (*ZOPE, "code"),
)
EXCEPTIONS = Metric(
    "zope_request_exceptions_total",
    "counter",
    "Exceptions that requests ended in, by class; those of further classes are other.",
    (*ZOPE, "exception"),
)
THREADS = Metric("zope_worker_threads", "gauge", "Worker threads of the server.", ZOPE)
BUSY = Metric(
    "zope_worker_threads_busy", "gauge", "Worker threads that are busy with a request.", ZOPE
)
QUEUE = Metric(
    "zope_request_queue_length", "gauge", "Requests that wait for a worker thread.", ZOPE
)
CHANNELS = Metric(
    "zope_http_connections",
    "gauge",
    "Connections of clients to the server, idle ones included.",
    ZOPE,
)
CHANNEL_LIMIT = Metric(
    "zope_http_connection_limit",
    "gauge",
    "Connections of clients at which the server accepts no more; absent without a limit.",
    ZOPE,
)

_NUMBERS = {
    IN_PROGRESS: ("requests", "in_progress"),
    OLDEST_START: ("requests", "oldest_start"),
    LONG: ("requests", "long", "count"),
    LONG_THRESHOLD: ("requests", "long", "threshold_seconds"),
    THREADS: ("workers", "threads"),
    BUSY: ("workers", "busy"),
    QUEUE: ("workers", "queue"),
    CHANNELS: ("workers", "channels"),
    CHANNEL_LIMIT: ("workers", "connection_limit"),
}
METRICS = (*_NUMBERS, DURATION, RESPONSES, EXCEPTIONS)

_CODE = re.compile("[1-5][0-9][0-9]")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")


def serving_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of a Zope's requests and threads."""
    of = {"site": site, "zope": zope}
    for metric, path in _NUMBERS.items():
        number = answer.number(*path)
        if number is not None:
            yield metric(number, **of)
    yield from _durations(answer, of)
    if "responses" in answer.keys("requests"):
        counted = dict.fromkeys(CODES, 0.0)
        for code, count in answer.counts("requests", "responses").items():
            known = code if _CODE.fullmatch(code) else OTHER
            counted[known] = counted.get(known, 0.0) + count
        for code, count in counted.items():
            yield RESPONSES(count, code=code, **of)
    if "exceptions" in answer.keys("requests"):
        for name, count in _exceptions(answer).items():
            yield EXCEPTIONS(count, exception=name, **of)


def _exceptions(answer: Answer) -> dict[str, float]:
    counted = {OTHER: 0.0}
    for name, count in answer.counts("requests", "exceptions").items():
        known = _CLASS.fullmatch(name) and len(counted) < MOST_EXCEPTIONS
        label = name if known else OTHER
        counted[label] = counted.get(label, 0.0) + count
    return counted


def _durations(answer: Answer, of: dict[str, str]) -> Iterator[Sample]:
    place = "requests", "duration"
    bounds, counts = answer.numbers(*place, "bounds"), answer.numbers(*place, "counts")
    total = answer.number(*place, "sum")
    if bounds is None or counts is None or total is None:
        return
    if len(counts) != len(bounds) + 1 or len(bounds) > 50 or bounds != sorted(set(bounds)):
        answer.doubt("requests.duration has buckets that do not fit")
        return
    yield from DURATION.buckets(bounds, counts, total, **of)
