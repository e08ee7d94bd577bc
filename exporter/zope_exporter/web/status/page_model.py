"""Putting the status page together from the last scrape, the last hour and the jobs."""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.checks.coverage import judge_watching, title
from zope_exporter.checks.failing import failing, judge_each_failing, judge_failing
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.probe import judge_probe
from zope_exporter.checks.relstorage import relstorages
from zope_exporter.checks.site import is_near_memory_limit, is_slow, judge
from zope_exporter.checks.zope import workers_severity
from zope_exporter.collectors import ping, process
from zope_exporter.collectors.agent import instance
from zope_exporter.collectors.coverage import Source
from zope_exporter.discovery.inventory import Service, Site, Target
from zope_exporter.logs.event import counter as event
from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.metrics.metric import encodable
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.state import StateError

from .databases import Databases
from .graphs import errors, recent_rate, site_graphs, zope_graphs
from .history import STEP_SECONDS, Course
from .last_scrape import LastScrape, Observation
from .slow_views import slow_views
from .view import (
    Fact,
    JobView,
    Offers,
    PageView,
    SiteView,
    SourceView,
    WatchedView,
    Written,
    ZopeView,
)
from .written import written

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

SHOWN_JOBS = 10

_JOB_SEVERITIES = {
    "failed": Severity.CRITICAL,
    "interrupted": Severity.CRITICAL,
    "refused": Severity.WARNING,
}

Jobs = Callable[[], Sequence[Job]]
Offered = Callable[[], Offers]


def compose(
    last_scrape: LastScrape,
    limits: Limits,
    jobs: Jobs,
    offered: Offered,
    clock: Callable[[], float] = time.time,
) -> PageView:
    """Return what there is to show now; it does not scrape."""
    now = clock()
    shown, problem = _jobs(jobs, now)
    observation = last_scrape.latest
    if observation is None:
        return PageView(Severity.UNKNOWN, None, (), (), shown, problem)
    inventory, scrape = observation.inventory, observation.scrape
    findings = judge(inventory, scrape, limits, lambda: observation.time)
    sources = last_scrape.coverage.of(scrape)
    findings += judge_watching(inventory, scrape, last_scrape.coverage.logs(), sources, findings)
    rate = partial(recent_rate, last_scrape.history)
    for site in inventory.sites:
        findings += judge_failing(site.name, failing(site.name, scrape.values, rate), limits)
        findings += judge_each_failing(site.name, scrape.values, rate, limits)
        findings += judge_probe(site, scrape.values)
    composer = _Composer(observation, limits, last_scrape, findings, sources, offered())
    sites = (composer.site(site) for site in observation.inventory.sites)
    worst_first = tuple(sorted(sites, key=lambda view: -view.severity))
    names = {site.name for site in observation.inventory.sites}
    remarks = tuple(f for f in findings if f.site not in names and f.severity)
    worst = max((finding.severity for finding in findings), default=Severity.OK)
    return PageView(worst, max(0.0, now - observation.time), worst_first, remarks, shown, problem)


def _jobs(jobs: Jobs, now: float) -> tuple[tuple[JobView, ...], str]:
    try:
        return tuple(_job_views(jobs(), now)), ""
    except StateError as error:
        return (), str(error)


def _job_views(jobs: Sequence[Job], now: float) -> Iterator[JobView]:
    """Yield the newest jobs; what they logged is for those who hold the token."""
    for job in jobs[:SHOWN_JOBS]:
        running = job.state == "running"
        yield JobView(
            job.id,
            str(job.task),
            job.state,
            _JOB_SEVERITIES.get(job.state, Severity.OK),
            job.stage if running else "",
            min(100.0, round(100 * job.done / job.total, 1)) if running and job.total else None,
            _when(job, now),
            job.error,
        )


def _when(job: Job, now: float) -> str:
    if job.ended is not None:
        took = f", took {duration(job.ended - job.begun)}" if job.begun is not None else ""
        return f"{duration(now - job.ended)} ago{took}"
    if job.begun is not None:
        return f"for {duration(now - job.begun)}"
    return f"waiting for {duration(now - job.queued)}"


class _Composer:
    """Makes the views of sites from one scrape."""

    def __init__(
        self,
        observation: Observation,
        limits: Limits,
        last_scrape: LastScrape,
        findings: Sequence[Finding],
        sources: Sequence[Source],
        offers: Offers,
    ) -> None:
        self._observation = observation
        self._limits = limits
        self._history = history = last_scrape.history
        self._since = last_scrape.written_since
        self._views_of = last_scrape.views_of
        self._findings = _grouped(findings, lambda finding: finding.site)
        self._sources = _grouped(sources, lambda source: (source.site, source.zope))
        self._values = observation.scrape.values
        self._offers = offers
        self._databases = Databases(self._values, limits, history, offers, observation.time)

    def site(self, site: Site) -> SiteView:
        reasons = [f for f in self._findings.get(site.name, ()) if f.severity]
        reasons.sort(key=lambda finding: -finding.severity)
        databases = (self._databases.view(site.name, storage) for storage in site.storages)
        told = [
            (metric, labels, value)
            for metric in (event.RECORDS, event.MATCHES)
            for labels, value in self._values.series(metric, encodable(site.name))
        ]
        # What has counted nothing so far, as most patterns, has not grown within the hour.
        event_series = [(metric, labels) for metric, labels, value in told if value]
        return SiteView(
            site.name,
            max((finding.severity for finding in reasons), default=Severity.OK),
            tuple(reasons),
            site_graphs(self._history, site),
            tuple(self._zope(site.name, service) for service in site.services),
            (*databases, *self._databases.elsewhere(site)),
            tuple(self._written(site)),
            tuple(slow_views(self._views_of(site.name))),
            tuple(self._target(site.name, target) for target in site.targets),
            tuple(errors(self._history, event_series)),
            bool(told),
            site.name in self._offers.with_event_log,
            tuple(self._watched(site)),
        )

    def _zope(self, site: str, service: Service) -> ZopeView:
        up = self._values.get(process.UP, site, service.name)
        down = self._history.course(process.UP, (site, service.name))
        facts = [Fact("Process", "runs") if up else _not_running(up, down)]
        started = self._values.get(process.START_TIME, site, service.name)
        memory = self._values.get(process.RESIDENT, site, service.name)
        if started is not None:
            facts.append(Fact("Up for", duration(self._observation.time - started)))
        if memory is not None:
            near = is_near_memory_limit(site, service.name, self._values, self._limits)
            severity = Severity.WARNING if near else Severity.OK
            facts.append(Fact("Memory", size(memory), severity))
        threads = self._values.get(instance.THREADS, site, service.name)
        busy = self._values.get(instance.BUSY, site, service.name)
        if threads is not None and busy is not None:
            severity = workers_severity(busy, threads, self._limits)
            facts.append(Fact("Worker threads", f"{busy:.0f} of {threads:.0f} busy", severity))
        elif service.threads is not None:
            text = f"{service.threads}; only the agent knows who is busy"
            facts.append(Fact("Worker threads", text))
        for each in service.apart():
            found = relstorages(site, each.name, self._values, self._observation.time)
            facts += [Fact(f"Database {database}", text) for database, text in found]
        return ZopeView(service.name, tuple(facts), zope_graphs(self._history, site, service))

    def _written(self, site: Site) -> Iterator[Written]:
        for each in site.storages:
            yield from written(each.database, each.data_fs, self._since, self._observation.time)

    def _watched(self, site: Site) -> Iterator[WatchedView]:
        for service in site.services:
            of = self._sources.get((site.name, service.name), [])
            views = (SourceView(title(each.name), each.state, each.text) for each in of)
            yield WatchedView(service.name, tuple(views))

    def _target(self, site: str, target: Target) -> Fact:
        up = self._values.get(ping.UP, site, target.name)
        seconds = self._values.get(ping.DURATION, site, target.name) or 0.0
        if up is None:
            return Fact(target.name, "no answer seen yet", Severity.UNKNOWN)
        if up:
            slow = is_slow(site, target.name, self._values, self._limits)
            severity = Severity.WARNING if slow else Severity.OK
            return Fact(target.name, f"answers in {seconds * 1000:.0f} ms", severity)
        since = _since(self._history.course(ping.UP, (site, target.name)))
        return Fact(target.name, f"does not answer correctly{since}", Severity.CRITICAL)


def _grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _since(course: Course) -> str:
    """Since when something has been 0, as far back as was looked; empty if it only began."""
    steps = 0
    for value in reversed(course):
        if value:
            return f" for {duration(steps * STEP_SECONDS)}" if steps > 1 else ""
        steps = steps + 1 if value == 0 or steps else 0
    return f" for at least {duration(steps * STEP_SECONDS)}" if steps > 1 else ""


def _not_running(up: float | None, course: Course) -> Fact:
    if up is None:
        return Fact("Process", "unknown", Severity.UNKNOWN)
    return Fact("Process", f"does not run{_since(course)}", Severity.CRITICAL)
