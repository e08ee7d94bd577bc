"""What a Zope logs, counted by its agent: where no log file tells it, and where one tells less."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from zope_exporter.clients.agent.answer import Answer
from zope_exporter.discovery.inventory import Service
from zope_exporter.logs.access.counter import EXPECTED, REQUESTS
from zope_exporter.logs.access.requests import CODES, METHODS, OTHER
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.event.fields import OTHER as OTHER_SEVERITY
from zope_exporter.logs.event.fields import SEVERITIES, severity
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS
from zope_exporter.logs.followed import Followed, FollowedLogs
from zope_exporter.logs.tail.sources import LogKind
from zope_exporter.metrics.metric import Metric, Sample

DIFFERENCE = Metric(
    "zope_log_difference",
    "gauge",
    "Requests or records that the agent inside Zope has counted beyond those in the log file since"
    " this exporter sees both, or less than 0 where the file has more; absent without either.",
    ("site", "log"),
)
METRICS = (REQUESTS, RECORDS, MATCHES, DIFFERENCE)
KINDS: tuple[LogKind, ...] = ("access", "event")
REFRESH_SECONDS = 3.0
_CODE = re.compile("[1-9][0-9]{2}")


@dataclass(frozen=True)
class _Start:
    """Where two counts were when both were seen first."""

    agent_start: float
    agent: float
    file: float


class LoggedSamples:
    """Makes the samples of what Zopes log from their agents' answers.

    What a log tells is told by the log alone. How far it and the agent's count have come apart
    since both were seen is a sample, too.
    """

    def __init__(self, logs: FollowedLogs) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self._starts: dict[tuple[str, str, str], _Start] = {}

    def before(self, site: str, zope: Service) -> dict[LogKind, Followed]:
        """Return how it stands with the logs before the agent is asked."""
        return {kind: self._logs.of(site, zope, kind) for kind in KINDS}

    def of(
        self, answer: Answer, site: str, zope: Service, before: dict[LogKind, Followed]
    ) -> Iterator[Sample]:
        """Yield what the answer holds of what was logged, as far as it is the agent's to tell."""
        is_recent = self._logs.refresh(REFRESH_SECONDS)
        for kind in KINDS:
            followed = self._logs.of(site, zope, kind)
            if not followed.is_told:
                yield from logged_samples(kind, answer, site, followed.free)
            if is_recent and followed.log is not None:
                seen = before[kind].count, followed.count
                agent = answer.number("agent", "start"), _total(answer, kind)
                difference = self._difference((site, zope.name, followed.log), agent, seen)
                if difference is not None:
                    yield DIFFERENCE(difference, site=site, log=followed.log)

    def _difference(
        self,
        key: tuple[str, str, str],
        agent: tuple[float | None, float | None],
        file: tuple[float | None, float | None],
    ) -> float | None:
        """The file's count is of before and after the agent's: what fits between is no difference.

        A count that fell, or another process, begins anew.
        """
        start, count = agent
        before, after = file
        if start is None or count is None or after is None:
            return None
        with self._lock:
            known = self._starts.get(key)
            if known is None or known.agent_start != start or after < known.file:
                known = self._starts[key] = _Start(start, count, after)
                before = after
        if before is None:
            return None
        grown = count - known.agent
        most, least = grown - (before - known.file), grown - (after - known.file)
        return max(0.0, least) or min(0.0, most)


def logged_samples(kind: LogKind, answer: Answer, site: str, log: str) -> Iterator[Sample]:
    """Yield the samples of a kind of log as if there were one, none from an agent that is older."""
    of = {"site": site, "log": log}
    if kind == "access":
        if "methods" in answer.keys("requests"):
            for (method, code), count in _requests(answer).items():
                yield REQUESTS(count, method=method, code=code, **of)
        return
    if "records" in answer.keys("event_log"):
        for name, count in _records(answer).items():
            yield RECORDS(count, severity=name, **of)
        matches = answer.counts("event_log", "matches")
        for pattern in KNOWN_PATTERNS:
            if pattern.name in matches:
                yield MATCHES(matches[pattern.name], pattern=pattern.name, **of)


def _requests(answer: Answer) -> dict[tuple[str, str], float]:
    counted = {(method, str(code)): 0.0 for method, code in EXPECTED}
    for method in answer.keys("requests", "methods"):
        known = method if method in METHODS else OTHER
        for code, count in answer.counts("requests", "methods", method).items():
            # As in a log, where such a line is none of a request.
            if _CODE.fullmatch(code) and int(code) in CODES:
                counted[known, code] = counted.get((known, code), 0.0) + count
    return counted


def _records(answer: Answer) -> dict[str, float]:
    counted = dict.fromkeys((*SEVERITIES, OTHER_SEVERITY), 0.0)
    for level, count in answer.counts("event_log", "records").items():
        counted[severity(level)] += count
    return counted


def _total(answer: Answer, kind: LogKind) -> float | None:
    if kind == "access":
        has = "methods" in answer.keys("requests")
        return sum(_requests(answer).values()) if has else None
    return sum(_records(answer).values()) if "records" in answer.keys("event_log") else None
