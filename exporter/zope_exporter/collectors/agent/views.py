"""Requests of a Zope by view, of a few views that take most of the time."""

from collections.abc import Iterator, Mapping

from zope_exporter.clients.agent.answer import Answer
from zope_exporter.clients.agent.views import OTHER, Sums, merged, views_at
from zope_exporter.metrics.metric import Metric, Sample

LABELS = ("site", "zope", "view")
# As many as an agent names, and OTHER.
MOST_VIEWS = 11

REQUESTS = Metric(
    "zope_view_requests_total",
    "counter",
    "Requests by the view they asked for, its class and name: for ten views of each Zope that take"
    " most time, which change once an hour at most and ten minutes after a start. `other` are"
    " those for a view that had no name then, `none` those that ended before a view was called.",
    LABELS,
)
SECONDS = Metric(
    "zope_view_duration_seconds_total",
    "counter",
    "Time of the requests by view, until their answers had been given.",
    LABELS,
)
LOADS = Metric(
    "zope_view_object_loads_total",
    "counter",
    "Objects that requests have loaded from ZODB, by view; what was in the cache of the connection"
    " is not loaded.",
    LABELS,
)
LOAD_SECONDS = Metric(
    "zope_view_object_load_duration_seconds_total",
    "counter",
    "Part of zope_view_duration_seconds_total that was spent in loads from ZODB; absent where"
    " zope.conf has a storage without <timedstorage> around it.",
    LABELS,
)
METRICS = (REQUESTS, SECONDS, LOADS, LOAD_SECONDS)
_FIELDS = "requests", "views", "fields"


def view_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of the views that are counted by name; none of an older agent."""
    for view, sums in _few(views_at(answer, _FIELDS, ("requests", "views", "total"))).items():
        of = {"site": site, "zope": zope, "view": view}
        yield REQUESTS(sums.requests, **of)
        yield SECONDS(sums.seconds, **of)
        yield LOADS(sums.loads, **of)
        if sums.load_seconds is not None:
            yield LOAD_SECONDS(sums.load_seconds, **of)


def last_hour(answer: Answer) -> Mapping[str, Sums]:
    """Return what was asked for in the last hour, of as many views; empty of an older agent."""
    return _few(views_at(answer, _FIELDS, ("requests", "views", "hour")))


def _few(views: Mapping[str, Sums]) -> Mapping[str, Sums]:
    """As many as there can be; only an agent that is broken has more."""
    names = list(views)
    rest = ({OTHER: views[name]} for name in names[MOST_VIEWS:])
    return merged([{name: views[name] for name in names[:MOST_VIEWS]}, *rest])
