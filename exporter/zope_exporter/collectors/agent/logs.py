"""What a Zope logs, counted by its agent: where no log file tells it, and where one tells less."""

import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from os.path import normpath

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
REFRESH_SECONDS = 1.5
_CODE = re.compile("[1-9][0-9]{2}")


@dataclass(frozen=True)
class Before:
    """How it stood with the logs of a Zope just before its agent was asked, if that is known."""

    logs: dict[LogKind, Followed]
    is_recent: bool


class LoggedSamples:
    """Makes the samples of what Zopes log from their agents' answers.

    What a log tells is told by the log alone. How far it and the agent's count have come apart
    since both were seen is a sample, too.
    """

    def __init__(self, logs: FollowedLogs) -> None:
        self._logs = logs
        self._comparison = Comparison()

    def before(self, site: str, zope: Service) -> Before:
        """Look at the logs before the agent is asked."""
        is_recent = self._logs.refresh(REFRESH_SECONDS)
        return Before({kind: self._logs.of(site, zope, kind) for kind in KINDS}, is_recent)

    def of(
        self, answer: Answer, site: str, zope: Service, before: Before, shared: Collection[str] = ()
    ) -> Iterator[Sample]:
        """Yield what the answer holds of what was logged, as far as it is the agent's to tell.

        `shared` are the files that several Zopes write.
        """
        is_recent = before.is_recent and self._logs.refresh(REFRESH_SECONDS)
        for kind in KINDS:
            path = zope.access_log if kind == "access" else zope.event_log
            if path and (zope.is_one_of_several or normpath(path) in shared):
                continue  # none of their agents has counted all that is in it
            followed = self._logs.of(site, zope, kind)
            if not followed.is_told:
                yield from logged_samples(kind, answer, site, followed.free)
            if is_recent and followed.log is not None:
                of = {"site": site, "log": followed.log}
                file = before.logs[kind].count, followed.count
                difference = self._difference((site, zope.name, followed.log), kind, answer, file)
                if difference is not None:
                    yield DIFFERENCE(difference, **of)

    def _difference(
        self,
        key: tuple[str, str, str],
        kind: LogKind,
        answer: Answer,
        file: tuple[float | None, float | None],
    ) -> float | None:
        start, count = answer.number("agent", "start"), _total(answer, kind)
        before, after = file
        if start is None or count is None or before is None or after is None:
            return None
        # Their lines may be in the log, and are not counted until the answer has been sent.
        open_requests = answer.number("requests", "in_progress") if kind == "access" else None
        beyond = count - after, count + (open_requests or 0.0) - before
        return self._comparison.difference(key, start, after, beyond)


def shared_files(services: Iterable[Service]) -> set[str]:
    """Return the log files that several of them write."""
    writers = Counter(
        path
        for service in services
        for path in {normpath(each) for each in (service.access_log, service.event_log) if each}
    )
    return {path for path, number in writers.items() if number > 1}


@dataclass(frozen=True)
class _Start:
    agent_start: float
    file: float
    beyond: tuple[float, float]


class Comparison:
    """How far the agents' counts and those of log files have come apart since both were seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: dict[tuple[str, str, str], _Start] = {}

    def difference(
        self, key: tuple[str, str, str], start: float, file: float, beyond: tuple[float, float]
    ) -> float:
        """Return by how much the agent has counted more at least, or less if it is below 0.

        `beyond` are the least and the most by which its count can be beyond the file's at one
        moment. A count of the file that fell, or an agent of another `start`, begins anew.
        """
        with self._lock:
            known = self._starts.get(key)
            if known is None or known.agent_start != start or file < known.file:
                self._starts[key] = _Start(start, file, beyond)
                return 0.0
        least, most = beyond[0] - known.beyond[1], beyond[1] - known.beyond[0]
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
