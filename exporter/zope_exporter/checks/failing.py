"""Which part of the requests of the last minutes failed, from whatever can tell of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors.agent.instance import RESPONSES
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.event.counter import MATCHES
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.values import Values

from .finding import Finding, Severity

MINUTES = 5
EXCEPTION = "unhandled_exception"

Rate = Callable[[Metric, dict[str, str]], float]
"""By how much the counter with these labels grew a second within the last minutes."""


@dataclass(frozen=True)
class Failing:
    """Failures a second, the requests they are among if that is known, and who says so."""

    failures: float
    requests: float | None
    by: str


def failing(site: str, values: Values, rate: Rate) -> list[Failing]:
    """Return what can tell of failures, as the alerts see it: the agent, and the logs.

    Exceptions in the event log are in no access log of Zope, complete or not: they come on top.
    """
    answered = _by_code(RESPONSES, site, values, rate)
    logged = _by_code(REQUESTS, site, values, rate)
    exceptions = sum(
        rate(MATCHES, of) for of in values.labels(MATCHES, site) if of["pattern"] == EXCEPTION
    )
    found = []
    if answered is not None and sum(answered) > 0:
        found.append(Failing(answered[1], sum(answered), "the agent"))
    failures = exceptions + (logged or (0.0, 0.0))[1]
    good = [each[0] for each in (answered, logged) if each is not None]
    if failures > 0:
        requests = max(good) + failures if good else None
        found.append(Failing(failures, requests, "its event log" if exceptions else "its log"))
    return found


def _by_code(metric: Metric, site: str, values: Values, rate: Rate) -> tuple[float, float] | None:
    """By how much the good and the failed ones of a counter of requests grew, if it has any."""
    series = values.labels(metric, site)
    if not series:
        return None
    rates = [(of["code"].startswith("5"), rate(metric, of)) for of in series]
    failed = sum(each for is_failure, each in rates if is_failure)
    return sum(each for _, each in rates) - failed, failed


def judge_failing(site: str, found: Iterable[Failing], limits: Limits) -> Iterator[Finding]:
    """Yield a finding if too many requests fail, as the alert ZopeRequestsFailing.

    What the agent has counted, the logs need not tell again.
    """
    severities = ((each, _severity(each, limits)) for each in found)
    worst = next((each for each in severities if each[1]), None)
    if worst is not None:
        failing, severity = worst
        text = f"{_failures(failing)} (see the exceptions in the event log)"
        yield Finding(severity, site, "requests", text)


def _severity(failing: Failing, limits: Limits) -> Severity:
    if failing.failures <= limits.failing_least:
        return Severity.OK
    if failing.requests is None:
        severe = failing.failures > limits.failing_blind
        return Severity.CRITICAL if severe else Severity.WARNING
    share = failing.failures / failing.requests
    if share > limits.failing_critical:
        return Severity.CRITICAL
    return Severity.WARNING if share > limits.failing else Severity.OK


def _failures(failing: Failing) -> str:
    late = f"of the last {MINUTES} min failed, by {failing.by}"
    if failing.requests is None:
        return f"{failing.failures * 60:.0f} requests a minute {late}; the total is not counted"
    return f"{failing.failures / failing.requests:.0%} of the requests {late}"


def judge_each_failing(site: str, values: Values, rate: Rate, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a Zope of several that fails, as the alert ZopeInstanceFailing.

    Its errors may be a small part of the site's requests.
    """
    answered: defaultdict[str, float] = defaultdict(float)
    failed: defaultdict[str, float] = defaultdict(float)
    series = values.labels(RESPONSES, site)
    if len({of["zope"] for of in series}) < 2:
        return
    for of in series:
        each = rate(RESPONSES, of)
        answered[of["zope"]] += each
        failed[of["zope"]] += each if of["code"].startswith("5") else 0.0
    for zope, requests in answered.items():
        if requests > limits.all_failing_least_requests:
            share = failed[zope] / requests
            if share > limits.all_failing:
                text = f"{share:.0%} of its requests of the last {MINUTES} min failed"
                remedy = "compare its code and configuration with the others'"
                yield Finding(Severity.CRITICAL, site, zope, f"{text} ({remedy})")
