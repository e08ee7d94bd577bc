"""Which part of the requests of the last minutes failed, from whatever can tell of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors.agent.instance import RESPONSES
from zope_exporter.collectors.pipeline import ACCESS_LOG_COMPLETE
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.event.counter import MATCHES
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.values import Values

from .finding import Finding, Severity

MINUTES = 5
_EXCEPTION = "unhandled_exception"

Rate = Callable[[Metric, dict[str, str]], float]
"""By how much the counter with these labels grew a second within the last minutes."""


@dataclass(frozen=True)
class Failing:
    """Requests a second, those that failed among them, and who says so."""

    requests: float
    failures: float
    by: str


def failing(site: str, values: Values, rate: Rate) -> Failing | None:
    """Return it as the alerts see it: by the agent, or by logs that have the errors, or else by the
    exceptions in the event log. None where nothing can tell, or nothing was requested.
    """
    answered = values.labels(RESPONSES, site)
    logged = values.labels(REQUESTS, site)
    complete = [of for of in logged if of["log"] not in _incomplete(site, values)]
    counted = (RESPONSES, answered, "the agent") if answered else (REQUESTS, complete, "its log")
    metric, series, by = counted
    if series:
        rates = [(of["code"], rate(metric, of)) for of in series]
        failed = sum(each for code, each in rates if code.startswith("5"))
        return _known(sum(each for _, each in rates), failed, by)
    if not logged:
        return None  # of how many requests these exceptions are, nobody knows
    matches = [of for of in values.labels(MATCHES, site) if of["pattern"] == _EXCEPTION]
    failed = sum(rate(MATCHES, of) for of in matches)
    return _known(sum(rate(REQUESTS, of) for of in logged) + failed, failed, "its event log")


def _incomplete(site: str, values: Values) -> set[str]:
    zopes = [of["zope"] for of in values.labels(ACCESS_LOG_COMPLETE, site)]
    return {f"{zope}-access" for zope in zopes if not values.get(ACCESS_LOG_COMPLETE, site, zope)}


def _known(requests: float, failures: float, by: str) -> Failing | None:
    return Failing(requests, failures, by) if requests > 0 else None


def judge_failing(site: str, found: Failing | None, limits: Limits) -> Iterator[Finding]:
    """Yield a finding if too many requests fail, as the alert ZopeRequestsFailing."""
    if found is None or found.failures <= limits.failing_least:
        return
    share = found.failures / found.requests
    if share > limits.failing:
        severe = share > limits.failing_critical
        text = f"{share:.0%} of the requests of the last {MINUTES} min failed, by {found.by}"
        severity = Severity.CRITICAL if severe else Severity.WARNING
        yield Finding(severity, site, "requests", f"{text} (see the exceptions in the event log)")
