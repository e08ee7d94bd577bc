"""One look at everything, as a table for people and an exit code for cron and Nagios."""

from collections.abc import Iterator, Sequence

from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.limits import read_limits
from zope_exporter.config.schema import Config
from zope_exporter.config.search import searched, watch

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
        from .look import look  # a search that fails does without all collectors

        return found + look(config, watcher, inventory, limits, COLLECT_SECONDS)
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
