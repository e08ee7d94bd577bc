"""One look at everything, as a table for people and an exit code for cron and Nagios."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from zope_exporter.alerting.thresholds import Limits, read_limits
from zope_exporter.checks.coverage import blind, judge_watching, table
from zope_exporter.checks.failing import failing, judge_failing
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.log_ends import LogEnds
from zope_exporter.checks.probe import judge_probe, known_root
from zope_exporter.checks.rights import judge_rights
from zope_exporter.checks.site import judge
from zope_exporter.collectors import build_passing
from zope_exporter.collectors.blobs import BlobLook
from zope_exporter.collectors.coverage import Coverage, Source
from zope_exporter.collectors.coverage.evidence import Logs
from zope_exporter.collectors.datafs import KeptDataFsCollector
from zope_exporter.collectors.logs import SIZE
from zope_exporter.config.log_settings import KnownLogs, log_patterns, syslog_settings
from zope_exporter.config.schema import Config
from zope_exporter.config.search import searched, watch
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.metrics.values import Values
from zope_exporter.system.state_look import state_to_look_at

COLLECT_SECONDS = 20.0


@dataclass(frozen=True)
class Checked:
    """What there is to say, and what of each Zope was watched for it: services and values.

    `roots` are where the pages of the sites are within Zope, as far as that is known.
    """

    findings: list[Finding]
    sources: list[Source]
    inventory: Inventory = field(default_factory=Inventory)
    values: Values = field(default_factory=lambda: Values(()))
    roots: Mapping[str, str] = field(default_factory=dict)


def look(config: Config, remember: bool = False) -> Checked:
    """Search this host, collect once, and return what there is to say.

    Nothing is kept, but what was found where `remember` asks for it.

    Raises ConfigError if the token file cannot be used, ThresholdError if the thresholds cannot,
    TimeoutError or SearchError if the search does not end well in time.
    """
    limits = read_limits(config.thresholds)
    found = _tokens(config)
    with state_to_look_at(config.state_dir) as (state, problem):
        watcher = watch(config, None if remember else Memory(state, problem))
        try:
            inventory = searched(watcher, COLLECT_SECONDS)
            repositories = None if watcher.hanging else _repositories(config)
            found += judge_rights(inventory, os.geteuid(), repositories)
            jobs = JobStore(state, problem)
            checked = _collect(config, watcher, inventory, limits, jobs)
            return replace(checked, findings=found + checked.findings)
        finally:
            watcher.stop()


def worst(found: Sequence[Finding]) -> Severity:
    """Return the severity of the whole."""
    return max((finding.severity for finding in found), default=Severity.OK)


def report(checked: Checked, quiet: bool) -> Iterator[str]:
    """Yield the lines to print: a summary as Nagios wants it first, then a line for each finding.

    Last comes what is watched. When `quiet`, only what is wrong is told, and nothing at all if
    nothing is.
    """
    found = checked.findings
    wrong = [finding for finding in found if finding.severity is not Severity.OK]
    if quiet and not wrong:
        return
    yield f"{worst(found).name}: {_summary(len(found), len(wrong))}{_blind(checked)}"
    shown = wrong if quiet else found
    widths = [
        max((len(cell) for cell in column), default=0)
        for column in zip(*map(_cells, shown), strict=True)
    ]
    for finding in shown:
        cells = (cell.ljust(width) for cell, width in zip(_cells(finding), widths, strict=True))
        yield "  ".join((*cells, finding.text))
    if not quiet:
        yield from table(checked.sources)


def as_object(checked: Checked) -> dict[str, Any]:
    """Return everything in terms of JSON."""
    severity = worst(checked.findings)
    return {
        "status": severity.name,
        "exit_code": severity.exit_code,
        "findings": [{**asdict(e), "severity": e.severity.name} for e in checked.findings],
        "sources": [asdict(source) for source in checked.sources],
    }


def _collect(
    config: Config, watcher: Watcher, inventory: Inventory, limits: Limits, jobs: JobStore
) -> Checked:
    """Collect once, and return what there is to say of an inventory.

    What takes long or would take something away from an exporter that runs is left out.
    """
    counters = CounterMaker(log_patterns(config))
    logs = LogWatch(KnownLogs(config, watcher.inventory), counters.of_file, LogStore(None))
    catalog = ActionCatalog(config, watcher.inventory, jobs)
    datafs = KeptDataFsCollector(watcher.inventory, jobs.file)
    by_syslog = frozenset(site for site, _ in syslog_settings(config))
    known = Logs(logs.sources(), by_syslog, log_patterns(config))
    coverage = Coverage(lambda: inventory, lambda: known)
    try:
        logs.start()
        passing = build_passing(watcher, logs, catalog, coverage, datafs)
        registry = Registry([*passing, BlobLook(watcher.inventory)])
        scrape = registry.scrape(COLLECT_SECONDS)
        ends = LogEnds(_read(known, scrape), counters.of_file, time.time())
        scrape = ends.in_place_of_counts(scrape)
        found, sources = judge(inventory, scrape, limits), coverage.of(scrape)
        for site in inventory.sites:
            found += judge_failing(site.name, failing(site.name, scrape.values, ends.rate), limits)
            found += judge_probe(site, scrape.values, ends.roots.get(site.name))
        found += judge_watching(inventory, scrape, known, sources, found)
        values, requested = scrape.values, ends.roots
        roots = {s.name: known_root(s, values, requested.get(s.name)) for s in inventory.sites}
        return Checked(found, sources, inventory, values, roots)
    finally:
        logs.stop()


def _read(known: Logs, scrape: Scrape) -> list[LogSource]:
    """The logs that could be looked at: one of a file system that hangs keeps nobody waiting."""
    values = scrape.values
    return [log for log in known.files if values.get(SIZE, log.site, log.log) is not None]


def _blind(checked: Checked) -> str:
    number = len(blind(checked.sources))
    if not number:
        return ""
    return f", {number} source{'s are' if number > 1 else ' is'} not watched"


def _repositories(config: Config) -> list[Path]:
    given = (site.backup and site.backup.repository for site in config.sites)
    return [each for each in given if each]


def _tokens(config: Config) -> list[Finding]:
    if config.actions is None:
        return []
    from zope_exporter.web.tokens import weaknesses

    found = weaknesses(config.actions.token_file)
    return [Finding(Severity.WARNING, "", "token_file", text) for text in found]


def _summary(looked_at: int, wrong: int) -> str:
    return (
        f"{wrong} of {looked_at} findings need attention" if wrong else f"{looked_at} things are OK"
    )


def _cells(finding: Finding) -> tuple[str, str, str]:
    return finding.severity.name, finding.site, finding.subject
