"""One look at everything, as a table for people and an exit code for cron and Nagios."""

from collections.abc import Iterator, Sequence

from zope_exporter.alerting.thresholds import Limits, read_limits
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.site import judge
from zope_exporter.collectors import build_passing
from zope_exporter.collectors.datafs import KeptDataFsCollector
from zope_exporter.config.log_settings import known_logs, log_patterns
from zope_exporter.config.schema import Config
from zope_exporter.config.search import searched, watch
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.registry import Registry
from zope_exporter.system.state import state_file

COLLECT_SECONDS = 20.0


def findings(config: Config) -> list[Finding]:
    """Search this host, collect once, and return what there is to say.

    Raises ConfigError if the token file cannot be used, ThresholdError if the thresholds cannot,
    TimeoutError or SearchError if the search does not end well in time.
    """
    limits = read_limits(config.thresholds)
    found = _tokens(config)
    watcher = watch(config)
    try:
        inventory = searched(watcher, COLLECT_SECONDS)
        return found + _collect(config, watcher, inventory, limits)
    finally:
        watcher.stop()


def worst(found: Sequence[Finding]) -> Severity:
    """Return the severity of the whole."""
    return max((finding.severity for finding in found), default=Severity.OK)


def report(found: Sequence[Finding], quiet: bool) -> Iterator[str]:
    """Yield the lines to print: a summary as Nagios wants it first, then a line for each finding.

    When `quiet`, only what is wrong is told, and nothing at all if nothing is.
    """
    wrong = [finding for finding in found if finding.severity is not Severity.OK]
    if quiet and not wrong:
        return
    yield f"{worst(found).name}: {_summary(len(found), len(wrong))}"
    shown = wrong if quiet else found
    widths = [
        max((len(cell) for cell in column), default=0)
        for column in zip(*map(_cells, shown), strict=True)
    ]
    for finding in shown:
        cells = (cell.ljust(width) for cell, width in zip(_cells(finding), widths, strict=True))
        yield "  ".join((*cells, finding.text))


def _collect(
    config: Config, watcher: Watcher, inventory: Inventory, limits: Limits
) -> list[Finding]:
    """Collect once, and return what there is to say of an inventory.

    What takes long or would take something away from an exporter that runs is left out.
    """
    counters = CounterMaker(log_patterns(config))
    logs = LogWatch(known_logs(config, watcher.inventory), counters.of_file, LogStore(None))
    state, problem = state_file(config.state_dir)
    catalog = ActionCatalog(config, watcher.inventory, JobStore(state, problem))
    kept = KeptDataFsCollector(watcher.inventory, state)
    try:
        logs.start()
        registry = Registry([*build_passing(watcher, logs, catalog), kept])
        return judge(inventory, registry.scrape(COLLECT_SECONDS), limits)
    finally:
        logs.stop()


def _tokens(config: Config) -> list[Finding]:
    if config.actions is None:
        return []
    from zope_exporter.web.tokens import weaknesses

    found = weaknesses(config.actions.token_file)
    return [Finding(Severity.WARNING, "", "token_file", text) for text in found]


def _summary(looked_at: int, wrong: int) -> str:
    return (
        f"{wrong} of {looked_at} findings need attention"
        if wrong
        else f"{looked_at} things are well"
    )


def _cells(finding: Finding) -> tuple[str, str, str]:
    return finding.severity.name, finding.site, finding.subject
