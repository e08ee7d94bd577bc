"""Queries made from the declared metrics; those that several dashboards share are here once."""

from collections.abc import Iterable, Mapping

from zope_exporter.metrics.metric import Metric

OF_TARGET = ("cluster", "job", "instance")
"""By what Prometheus tells exporters apart. `cluster` is for whoever has several environments;
where nothing has it, it is no harm."""
CHOSEN = ", ".join(f'{label}=~"${label}"' for label in OF_TARGET)
VARIABLES = ("site", "zope", "database")
SITE = "cluster, job, instance, site"
"""What makes a site one: sites of the same name on two hosts may be strangers."""
RATE = "$__rate_interval"
INTERVAL = "$__interval"


class UndeclaredError(Exception):
    """A dashboard asks for a metric, or a label, that the exporter does not declare."""


class Metrics:
    """The exporter's metrics by name; calling it makes a selector.

    Each label that is a variable of the dashboards is matched with that variable, so that a query
    follows the choices at the top of the page whatever it asks for.
    """

    def __init__(self, declared: Iterable[Metric]) -> None:
        self._declared: Mapping[str, Metric] = {metric.name: metric for metric in declared}
        self.used: set[str] = set()

    def __call__(self, name: str, matcher: str = "=", **wanted: str) -> str:
        """Return a selector of the series of `name` whose labels match `wanted`.

        Raises UndeclaredError.
        """
        return self._select(self.declaration(name), name, matcher, wanted)

    def buckets(self, name: str) -> str:
        """Return a selector of the buckets of a histogram; raises UndeclaredError."""
        return self._select(self.declaration(name), f"{name}_bucket", "=", {})

    def rate(self, name: str) -> str:
        """Return by how much the series of a counter grow each second; raises UndeclaredError."""
        return f"rate({self(name)}[{RATE}])"

    def increase(self, name: str) -> str:
        """Return by how much they grow within a step of the graph; raises UndeclaredError.

        For bars, see `events`: in a longer window each event would be in several of them.
        """
        return f"increase({self(name)}[{INTERVAL}])"

    def since(self, name: str) -> str:
        """Return the seconds since the timestamps of `name`; raises UndeclaredError."""
        return f"time() - {self(name)}"

    def lasts(self, name: str) -> str:
        """Return for how long what began at `name` lasted when it was seen; UndeclaredError.

        Until the next scrape nobody knows whether it goes on, so that no time is added for that.
        """
        return f"timestamp({self(name)}) - {self(name)}"

    def help(self, name: str) -> str:
        """Return what the exporter says of a metric; raises UndeclaredError."""
        return self.declaration(name).help

    def declaration(self, name: str) -> Metric:
        """Return the declaration of `name`; raises UndeclaredError."""
        if name not in self._declared:
            raise UndeclaredError(f"the exporter declares no metric {name}")
        self.used.add(name)
        return self._declared[name]

    def _select(self, metric: Metric, series: str, matcher: str, wanted: Mapping[str, str]) -> str:
        if foreign := wanted.keys() - set(metric.labels):
            raise UndeclaredError(f"{metric.name} has no label {', '.join(sorted(foreign))}")
        chosen = [
            f'{label}=~"${label}"'
            for label in VARIABLES
            if label in metric.labels and label not in wanted
        ]
        given = [f'{label}{matcher}"{value}"' for label, value in wanted.items()]
        return f"{series}{{{', '.join([CHOSEN, *chosen, *given])}}}"


def requests(m: Metrics, by: str = SITE, window: str = RATE) -> str:
    """Return requests per second: as answered where the agent counts them, else as logged.

    Logs that lack errors count where there is no other.
    """
    answered = f"sum by ({by}) (rate({m('zope_wsgi_responses_total')}[{window}]))"
    if by != SITE:
        return answered
    logged = f"rate({m('zope_http_requests_total')}[{window}])"
    complete = f"sum by ({by}) ({logged} unless {_lacks_errors(m)})"
    return f"({answered} or {complete} or sum by ({by}) ({logged}))"


def answers(m: Metrics) -> str:
    """Return answers per second by status code, of the agent or else of the access logs."""
    answered = f"sum by ({SITE}, code) ({m.rate('zope_wsgi_responses_total')})"
    logged = f"sum by ({SITE}, code) ({m.rate('zope_http_requests_total')})"
    return f"({answered} or on ({SITE}) {logged}) > 0"


def _lacks_errors(m: Metrics) -> str:
    """What is left out by it are access logs that Zope writes before it answers errors."""
    incomplete = f"{m('zope_access_log_complete')} == 0"
    named = f'label_replace({incomplete}, "log", "$1-access", "zope", "(.+)")'
    return f"on ({SITE}, log) {named}"


def failures(m: Metrics, by: str = SITE, window: str = RATE) -> str:
    """Return those of `requests` per second that the site failed to serve: 5xx.

    Nothing where neither an agent nor a log that has them could tell.
    """
    answered = m("zope_wsgi_responses_total", "=~", code="5..")
    answered = f"sum by ({by}) (rate({answered}[{window}]))"
    if by != SITE:
        return answered
    logged = m("zope_http_requests_total", "=~", code="5..")
    return f"({answered} or sum by ({by}) (rate({logged}[{window}]) unless {_lacks_errors(m)}))"


def failure_ratio(m: Metrics, by: str = SITE, window: str = RATE) -> str:
    """Return which part of the requests failed; nothing where there were none."""
    return f"{failures(m, by, window)} / ({requests(m, by, window)} > 0)"


def latency(m: Metrics, quantile: float, by: str = SITE) -> str:
    """Return a quantile of the time requests took, in seconds."""
    buckets = m.buckets("zope_request_duration_seconds")
    return f"histogram_quantile({quantile}, sum by (le, {by}) (rate({buckets}[{RATE}])))"


def busy_ratio(m: Metrics, by: str = f"{SITE}, zope") -> str:
    """Return which part of the worker threads is busy."""
    busy, threads = m("zope_worker_threads_busy"), m("zope_worker_threads")
    return f"sum by ({by}) ({busy}) / sum by ({by}) ({threads})"


def uncovered_seconds(m: Metrics) -> str:
    """Return for how long something has been in no backup; 0 while everything is covered."""
    last = m("zope_filestorage_last_transaction_timestamp_seconds")
    covered = m("zope_backup_covered_transaction_timestamp_seconds")
    return f"(time() - {covered}) * on ({SITE}, database) ({last} > bool {covered})"


def used_of_the_age_allowed(m: Metrics) -> str:
    """Return that as a part of the age allowed; above 1 a backup is overdue."""
    return f"{uncovered_seconds(m)} / on ({SITE}, database) {m('zope_backup_max_age_seconds')}"
