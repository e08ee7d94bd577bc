"""A Zope process as its agent sees it: what it runs, its requests and its worker threads."""

import re
from collections.abc import Iterator, Mapping

from zope_exporter.clients.agent.addons import broken_names
from zope_exporter.clients.agent.answer import Answer
from zope_exporter.metrics.metric import Metric, Sample

ZOPE = ("site", "zope")
OTHER = "other"
CODES = "200", "302", "304", "400", "401", "403", "404", "500", "503"
MOST_EXCEPTIONS = 100
_LONGEST = 100
_CODE = re.compile("[1-5][0-9][0-9]")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")

_VERSIONS = {
    "zope_version": ("instance", "versions", "Zope"),
    "plone_version": ("instance", "versions", "Plone"),
    "zodb_version": ("instance", "versions", "ZODB"),
    "zeo_version": ("instance", "versions", "ZEO"),
    "relstorage_version": ("instance", "versions", "RelStorage"),
    "python_version": ("instance", "versions", "Python"),
    "agent_version": ("agent", "version"),
    "server": ("workers", "server"),
}
INFO = Metric(
    "zope_instance_info",
    "info",
    "Versions of what the process runs; empty for what it does not have.",
    (*ZOPE, *_VERSIONS),
)
CONFIG_INFO = Metric(
    "zope_instance_config_info",
    "info",
    "Hash of zope.conf and the ini file as they were when Zope was started; equal for equal files.",
    (*ZOPE, "config_hash"),
)
DEBUG_MODE = Metric(
    "zope_instance_debug_mode", "gauge", "Whether Zope runs in debug mode (1) or not (0).", ZOPE
)
BROKEN_CLASSES = Metric(
    "zope_broken_classes",
    "gauge",
    "Classes of objects that were loaded from the database and whose code is missing.",
    ZOPE,
)
BROKEN_INFO = Metric(
    "zope_broken_class_info",
    "info",
    "A class of objects that were loaded from the database and whose code is missing; 20 at most.",
    (*ZOPE, "class"),
)
BROKEN_PRODUCTS = Metric(
    "zope_broken_products",
    "gauge",
    "Products and packages that Zope 2.13 has started without, since they could not be imported or"
    " installed; absent of later Zopes, which do not start then.",
    ZOPE,
)
BROKEN_PRODUCT_INFO = Metric(
    "zope_broken_product_info",
    "info",
    "A product that Zope 2.13 has started without; 20 at most.",
    (*ZOPE, "product"),
)
IN_PROGRESS = Metric(
    "zope_requests_in_progress", "gauge", "Requests that worker threads are processing.", ZOPE
)
OLDEST_START = Metric(
    "zope_request_oldest_start_timestamp_seconds",
    "gauge",
    "Start of the request that has been running longest, in seconds since the epoch; absent"
    " while none runs.",
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
    "Duration above which the agent calls a request long.",
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
    "Responses by the status code that was sent to the clients, also where the access log "
    "has none.",
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
    "Number of client connections at which the server accepts no more; absent without a limit.",
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
METRICS = (
    *(INFO, CONFIG_INFO, DEBUG_MODE, BROKEN_CLASSES, BROKEN_INFO),
    *(BROKEN_PRODUCTS, BROKEN_PRODUCT_INFO),
    *(*_NUMBERS, DURATION, RESPONSES, EXCEPTIONS),
)


def instance_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of a Zope process as a whole."""
    of = {"site": site, "zope": zope}
    if answer.keys("instance", "versions"):
        versions = {label: answer.text(*path) or "" for label, path in _VERSIONS.items()}
        yield INFO(1, **{label: text[:_LONGEST] for label, text in versions.items()}, **of)
    config = answer.text("instance", "config_hash")
    if config:
        yield CONFIG_INFO(1, config_hash=config[:_LONGEST], **of)
    debug = answer.flag("instance", "debug_mode")
    if debug is not None:
        yield DEBUG_MODE(debug, **of)
    broken = answer.number("instance", "broken_classes")
    if broken is not None:
        yield BROKEN_CLASSES(broken, **of)
    for name in broken_names(answer, "broken_names"):
        yield BROKEN_INFO(1, **of, **{"class": name})
    products = answer.length("instance", "broken_products")
    if products is not None:
        yield BROKEN_PRODUCTS(products, **of)
    for name in broken_names(answer, "broken_products"):
        yield BROKEN_PRODUCT_INFO(1, **of, product=name)


def serving_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of a Zope's requests and threads."""
    of = {"site": site, "zope": zope}
    yield from numbers_of(answer, _NUMBERS, of)
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


def numbers_of(
    answer: Answer, paths: Mapping[Metric, tuple[str, ...]], of: Mapping[str, str], *place: str
) -> Iterator[Sample]:
    """Yield a sample of each number that the answer has in a place, by its path from there."""
    for metric, path in paths.items():
        number = answer.number(*place, *path)
        if number is not None:
            yield metric(number, **of)
