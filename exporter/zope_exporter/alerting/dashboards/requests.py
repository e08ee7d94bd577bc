"""What several dashboards ask of requests, in one place so that they agree."""

from .metrics import Metrics

RATE = "$__rate_interval"


def requests(m: Metrics, by: str = "site", window: str = RATE) -> str:
    """Return requests per second: as answered where the agent counts them, else as logged."""
    answered = f"sum by ({by}) (rate({m('zope_wsgi_responses_total')}[{window}]))"
    if by != "site":
        return answered
    logged = f"sum by ({by}) (rate({m('zope_http_requests_total')}[{window}]))"
    return f"({answered} or {logged})"


def failures(m: Metrics, by: str = "site", window: str = RATE) -> str:
    """Return those of `requests` per second that the site failed to serve: 5xx."""
    answered = m("zope_wsgi_responses_total", "=~", code="5..")
    answered = f"sum by ({by}) (rate({answered}[{window}]))"
    if by != "site":
        return answered
    logged = m("zope_http_requests_total", "=~", code="5..")
    return f"({answered} or sum by ({by}) (rate({logged}[{window}])))"


def failure_ratio(m: Metrics, by: str = "site", window: str = RATE) -> str:
    """Return which part of the requests failed; nothing where there were none."""
    return f"{failures(m, by, window)} / ({requests(m, by, window)} > 0)"


def latency(m: Metrics, quantile: float, by: str = "site") -> str:
    """Return a quantile of the time requests took, in seconds."""
    buckets = m.buckets("zope_request_duration_seconds")
    return f"histogram_quantile({quantile}, sum by (le, {by}) (rate({buckets}[{RATE}])))"


def busy_ratio(m: Metrics, by: str = "site, zope") -> str:
    """Return which part of the worker threads is busy."""
    busy, threads = m("zope_worker_threads_busy"), m("zope_worker_threads")
    return f"sum by ({by}) ({busy}) / sum by ({by}) ({threads})"
