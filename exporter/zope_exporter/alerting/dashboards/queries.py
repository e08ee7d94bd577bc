"""Queries made from the declared metrics; those that several dashboards share are here once."""

from collections.abc import Iterable, Mapping

from zope_exporter.metrics.metric import Metric

from .field_config import NEVER

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
        The timestamp is that of the scrape's begin, after which something may have begun.
        """
        return f"clamp_min(timestamp({self(name)}) - {self(name)}, 0)"

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

    To the requests in the access logs of Zopes come the exceptions in their event logs, which none
    of those has. The log of a web server in front has all.
    """
    answered = f"sum by ({by}) (rate({m('zope_wsgi_responses_total')}[{window}]))"
    if by != SITE:
        return answered
    logged = f"rate({m('zope_http_requests_total')}[{window}])"
    return f"({answered} or {_of_logs(m, logged, window)})"


def answers(m: Metrics) -> str:
    """Return answers per second by status code, of the agent or else of the access logs."""
    answered = f"sum by ({SITE}, code) ({m.rate('zope_wsgi_responses_total')})"
    logged = f"sum by ({SITE}, code) ({m.rate('zope_http_requests_total')})"
    return f"({answered} or on ({SITE}) {logged}) > 0"


def _of_logs(m: Metrics, logged: str, window: str) -> str:
    """Return the sum of what is `logged` in access logs, and of the exceptions in none of them."""
    exceptions = m("zope_event_log_matches_total", pattern="unhandled_exception")
    exceptions = f"rate({exceptions}[{window}])"
    any_log = f"rate({m('zope_http_requests_total')}[{window}])"
    front = _in_front(m, window)
    doubled = f"({_lacks_errors(m, window)} and on ({SITE}) {front})"
    return (
        f"sum by ({SITE}) ({logged} unless on ({SITE}, log) {doubled}"
        f" or {exceptions} and on ({SITE}) {any_log} unless on ({SITE}) {front})"
    )


def _in_front(m: Metrics, window: str) -> str:
    """Access logs that no Zope writes, but the web server in front of them."""
    return f"rate({m('zope_http_requests_total', '!~', log='.+-access')}[{window}])"


def _lacks_errors(m: Metrics, window: str) -> str:
    """Access logs that Zope wrote before it answered errors, at some time of the window."""
    complete = m("zope_access_log_complete", "=~", zope=".+")  # and not the chosen ones alone
    incomplete = f"min_over_time({complete}[{window}]) == 0"
    return f'label_replace({incomplete}, "log", "$1-access", "zope", "(.+)")'


def failures(m: Metrics, by: str = SITE, window: str = RATE) -> str:
    """Return those of `requests` per second that the site failed to serve: 5xx.

    Nothing where neither an agent nor logs could tell of all, and be it those of one of its Zopes.
    """
    answered = m("zope_wsgi_responses_total", "=~", code="5..")
    answered = f"sum by ({by}) (rate({answered}[{window}]))"
    if by != SITE:
        return answered
    logged = f"rate({m('zope_http_requests_total', '=~', code='5..')}[{window}])"
    blind = f"({_lacks_errors(m, window)} unless on ({SITE}) {_in_front(m, window)})"
    return f"({answered} or {_of_logs(m, logged, window)} unless on ({SITE}) {blind})"


def failure_ratio(m: Metrics, by: str = SITE, window: str = RATE) -> str:
    """Return which part of the requests failed; nothing where there were none."""
    return f"{failures(m, by, window)} / ({requests(m, by, window)} > 0)"


def latency(m: Metrics, quantile: float) -> str:
    """Return a quantile of the time requests took, in seconds."""
    return f"histogram_quantile({quantile}, {durations(m, 'rate')})"


def durations(m: Metrics, function: str) -> str:
    """Return what the buckets of durations grow by: the agent's, or else those of access logs."""
    agent, logged = (
        f"sum by (le, {SITE}) ({function}({m.buckets(name)}[{RATE}]))"
        for name in ("zope_request_duration_seconds", "zope_http_request_duration_seconds")
    )
    return f"({agent} or on ({SITE}) {logged})"


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
    used = f"{uncovered_seconds(m)} / on ({SITE}, database) {m('zope_backup_max_age_seconds')}"
    return _or_never(m, used)


def backup_age(m: Metrics) -> str:
    """Return for how many seconds there has been no backup."""
    return _or_never(m, m.since("zope_backup_last_success_timestamp_seconds"))


def _or_never(m: Metrics, age: str) -> str:
    """Where backups are to be made and none ever was, NEVER in the place of an age."""
    wanted, made = m("zope_backup_max_age_seconds"), m("zope_backup_last_success_timestamp_seconds")
    never = f"({wanted} > bool 0) unless on ({SITE}, database) {made}"
    return f"({age} or on ({SITE}, database) {NEVER:.0f} * ({never}))"
