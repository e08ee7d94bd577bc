"""What the status page shows, in words and numbers, before any HTML."""

from collections.abc import Collection
from dataclasses import dataclass

from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.collectors.coverage.evidence import State


@dataclass(frozen=True)
class Graph:
    """The last hour of one value: a path to draw, and the latest value in words."""

    title: str
    path: str
    latest: str


@dataclass(frozen=True)
class Bar:
    """How full something is: percent taken by what it is about, and by other things."""

    title: str
    own: float
    others: float
    text: str


@dataclass(frozen=True)
class Fact:
    """One line of a list: what, and how it is; `severity` colours it."""

    name: str
    text: str
    severity: Severity = Severity.OK


@dataclass(frozen=True)
class Offers:
    """The action, site and database of all that may be asked for.

    `with_event_log` are the sites whose last errors whoever holds a token may read.
    """

    allowed: Collection[tuple[str, str, str]] = ()
    with_event_log: Collection[str] = ()


@dataclass(frozen=True)
class Offer:
    """An action that may be asked for, and what to consider before confirming it."""

    action: str
    site: str
    database: str
    consider: tuple[str, ...]


@dataclass(frozen=True)
class DatabaseView:
    name: str
    facts: tuple[Fact, ...]
    bars: tuple[Bar, ...]
    graphs: tuple[Graph, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class ZopeView:
    name: str
    facts: tuple[Fact, ...]
    graphs: tuple[Graph, ...]


@dataclass(frozen=True)
class WrittenRow:
    """What one class or path has written, in words: in an hour, a day and a week."""

    name: str
    sizes: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """What was written to a database in an hour, a day and a week, and what stands out of it."""

    database: str
    sizes: tuple[str, ...]
    classes: tuple[WrittenRow, ...]
    paths: tuple[WrittenRow, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class SlowView:
    """What requests for a view took within the last hour, in words; `loads` by one of them.

    `load_time`, too of one of them, is empty where it is not known.
    """

    name: str
    time: str
    share: str
    requests: str
    mean: str
    loads: str
    load_time: str


@dataclass(frozen=True)
class ErrorCount:
    """How often an event log held a pattern, or a record of a severity, within the last hour."""

    log: str
    what: str
    count: int


@dataclass(frozen=True)
class SourceView:
    """What a source is called, how it is, and by what it is so, or why."""

    name: str
    state: State
    text: str


@dataclass(frozen=True)
class WatchedView:
    """A Zope or ZEO server and its sources, of all servers in the same order."""

    name: str
    sources: tuple[SourceView, ...]

    @property
    def blind(self) -> tuple[SourceView, ...]:
        """What is there, and nobody sees it."""
        return tuple(source for source in self.sources if source.state == "blind")

    @property
    def explained(self) -> tuple[SourceView, ...]:
        """The rest, as far as there is something to say of it."""
        return tuple(each for each in self.sources if each.state != "blind" and each.text)


@dataclass(frozen=True)
class SiteView:
    name: str
    severity: Severity
    reasons: tuple[Finding, ...]
    graphs: tuple[Graph, ...]
    zopes: tuple[ZopeView, ...]
    databases: tuple[DatabaseView, ...]
    written: tuple[Written, ...]
    slow: tuple[SlowView, ...]
    targets: tuple[Fact, ...]
    errors: tuple[ErrorCount, ...]
    reads_events: bool
    has_event_log: bool
    watched: tuple[WatchedView, ...]

    @property
    def blind(self) -> int:
        """How much of the site is there and nobody sees."""
        return sum(len(each.blind) for each in self.watched)


@dataclass(frozen=True)
class JobView:
    """A job in words; `percent` is None where nobody can know how far it is."""

    number: int
    what: str
    state: str
    severity: Severity
    stage: str
    percent: float | None
    when: str
    error: str


@dataclass(frozen=True)
class PageView:
    """All of it. `age` are the seconds since the scrape that is shown; None before the first."""

    severity: Severity
    age: float | None
    sites: tuple[SiteView, ...]
    remarks: tuple[Finding, ...]
    jobs: tuple[JobView, ...]
    jobs_problem: str

    @property
    def busy(self) -> bool:
        """Whether a job is under way, so that the page is worth looking at again soon."""
        return any(job.state in {"queued", "running"} for job in self.jobs)
