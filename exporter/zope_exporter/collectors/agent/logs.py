"""What a Zope logs, counted by its agent: where no log file tells it, and where one tells less."""

import re
import threading
import time
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
PATIENCE = 1.0  # more than an agent takes when all threads of its Zope burn CPU
_CODE = re.compile("[1-9][0-9]{2}")


@dataclass(frozen=True)
class Before:
    """How it stood with the logs of a Zope just before its agent was asked, if that is known."""

    logs: dict[LogKind, Followed]
    is_recent: bool


@dataclass(frozen=True)
class _Counted:
    """What an agent had counted of a log, and what its file had at least then.

    The lines of open requests may be in the log: they are counted once the answer has been sent.
    """

    zope: Service
    log: str
    start: float
    count: float
    open_requests: float
    before: float


_Place = tuple[str, str]
"""A site and a Zope of it."""


class LoggedSamples:
    """Makes the samples of what Zopes log from their agents' answers.

    What a log tells is told by the log alone. How far it and the agent's count have come apart
    since both were seen is a sample, too: for that all logs are looked at once before the agents of
    a scrape are asked, and once when all have answered.
    """

    def __init__(self, logs: FollowedLogs) -> None:
        self._logs = logs
        self._comparison = Comparison()
        self._changed = threading.Condition()
        self._unanswered: set[_Place] = set()
        self._counted: dict[_Place, dict[LogKind, _Counted]] = {}
        self._told: dict[tuple[_Place, LogKind], float | None] = {}  # what agents had counted

    def begin(self, zopes: Collection[_Place]) -> float:
        """Begin with a scrape in which these agents are to be asked; return the moment of that."""
        with self._changed:
            self._unanswered = set(zopes)
            self._counted = {of: each for of, each in self._counted.items() if of in zopes}
            self._told = {of: each for of, each in self._told.items() if of[0] in zopes}
        return time.monotonic()

    def before(self, site: str, zope: Service, began: float) -> Before:
        """Say how it stands with the logs, which have been looked at since the scrape `began`."""
        is_recent = self._logs.refresh(REFRESH_SECONDS, began)
        return Before({kind: self._logs.of(site, zope, kind) for kind in KINDS}, is_recent)

    def forget(self, site: str, zope: Service) -> None:
        """Forget what an agent had counted that answers no more."""
        with self._changed:
            self._counted.pop((site, zope.name), None)

    def ended(self, site: str, zope: Service) -> None:
        """Note that an agent has answered, or will not."""
        with self._changed:
            self._unanswered.discard((site, zope.name))
            self._changed.notify_all()

    def of(
        self, answer: Answer, site: str, zope: Service, before: Before, shared: Collection[str] = ()
    ) -> Iterator[Sample]:
        """Yield what the answer holds of what was logged, as far as it is the agent's to tell.

        `shared` are the files that several Zopes write.
        """
        counted: dict[LogKind, _Counted] = {}
        for kind, followed in before.logs.items():
            path = zope.access_log if kind == "access" else zope.event_log
            if path and (zope.is_one_of_several or normpath(path) in shared):
                continue  # none of their agents has counted all that is in it
            if not self._by_now(followed, answer, site, zope, kind).is_told:
                yield from logged_samples(kind, answer, site, followed.free)
            both = _counted(kind, answer, zope, followed) if before.is_recent else None
            if both is not None:
                counted[kind] = both
        with self._changed:
            self._counted[site, zope.name] = counted

    def _by_now(
        self, followed: Followed, answer: Answer, site: str, zope: Service, kind: LogKind
    ) -> Followed:
        """What was known of a log, or what is by now if the agent has counted something new.

        The first line of a log may have been written after the look at it, and before the agent
        was asked: told by both, it would be two.
        """
        if followed.is_told:
            return followed
        of, total = ((site, zope.name), kind), _total(answer, kind)
        with self._changed:
            is_new = of in self._told and self._told[of] != total
        if is_new:
            if followed.has_file:  # a message of syslog is counted as it comes
                self._logs.refresh(REFRESH_SECONDS)
            followed = self._logs.of(site, zope, kind)
        if not followed.is_told:
            with self._changed:
                self._told[of] = total
        return followed

    def differences(self) -> Iterator[Sample]:
        """Yield how far the agents have come apart from the files, when all have answered.

        Who takes longer than the others is not waited for.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._unanswered, PATIENCE)
            all_counted = list(self._counted.items())
        if not any(each for _, each in all_counted) or not self._logs.refresh(REFRESH_SECONDS):
            return
        for (site, name), of_zope in all_counted:
            for kind, each in of_zope.items():
                after = self._logs.of(site, each.zope, kind)
                if after.log == each.log and after.count is not None:
                    beyond = each.count - after.count, each.count + each.open_requests - each.before
                    key = site, name, each.log
                    value = self._comparison.difference(key, each.start, after.count, beyond)
                    yield DIFFERENCE(value, site=site, log=each.log)


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


def _counted(kind: LogKind, answer: Answer, zope: Service, followed: Followed) -> _Counted | None:
    start, count = answer.number("agent", "start"), _total(answer, kind)
    if start is None or count is None or followed.log is None or followed.count is None:
        return None
    running = answer.number("requests", "in_progress") if kind == "access" else None
    return _Counted(zope, followed.log, start, count, running or 0.0, followed.count)


def _total(answer: Answer, kind: LogKind) -> float | None:
    if kind == "access":
        has = "methods" in answer.keys("requests")
        return sum(_requests(answer).values()) if has else None
    return sum(_records(answer).values()) if "records" in answer.keys("event_log") else None
