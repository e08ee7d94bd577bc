"""What is watched and what is not, in words, and the logs that the configuration adds."""

from collections.abc import Collection, Iterator, Sequence

from zope_exporter.collectors import logs
from zope_exporter.collectors.agent.logs import DIFFERENCE
from zope_exporter.collectors.coverage import Source
from zope_exporter.collectors.coverage.evidence import Logs, is_own
from zope_exporter.collectors.coverage.logged import BY_AGENT, not_understood
from zope_exporter.collectors.coverage.sources import SOURCES
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.followed import agent_labels
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.metrics.registry import Scrape
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import size

from .finding import Finding, Severity

# Without them nobody sees an error; of the rest their own findings tell what there is to do.
_NEEDED = ("access_log", "event_log")
CELLS = {"watched": "yes", "blind": "NO", "absent": "-"}


def judge_watching(
    inventory: Inventory,
    scrape: Scrape,
    known: Logs,
    sources: Sequence[Source],
    found: Sequence[Finding],
) -> list[Finding]:
    """Return what there is to say of logs, and of what nobody reads, beside what was `found`."""
    more = list(_logs(inventory, scrape, known))
    said = {finding.text for finding in (*found, *more)}
    unmatched = _unmatched(scrape.values, known, sources)
    return [*more, *_not_watched(sources, said), *unmatched]


def _not_watched(sources: Sequence[Source], said: Collection[str]) -> Iterator[Finding]:
    for source in blind(sources):
        if source.name in _NEEDED and source.text not in said:
            text = f"its {title(source.name)} is not watched: {source.text}"
            yield Finding(Severity.WARNING, source.site, source.zope, text)


def _logs(inventory: Inventory, scrape: Scrape, known: Logs) -> Iterator[Finding]:
    """Yield the logs that were given by hand, and those of which no line is understood."""
    values = scrape.values
    services = {site.name: site.services for site in inventory.sites}
    for log in known.files:
        used = values.get(logs.SIZE, log.site, log.log)
        given = not any(is_own(log, each) for each in services.get(log.site, ()))
        if given and used is not None:
            text = f"{log.kind} log {log.path}, {size(used)}, as the configuration gives it"
            yield Finding(Severity.OK, log.site, log.log, text)
        lines = not_understood(values, log)
        if lines:
            yield Finding(Severity.WARNING, log.site, log.log, lines)
        yield from _difference(values, log)


def _unmatched(values: Values, known: Logs, sources: Sequence[Source]) -> Iterator[Finding]:
    """Yield the own patterns nobody looks for: no expression of a user ever runs inside Zope."""
    for source in sources:
        if source.name == "event_log" and source.text == BY_AGENT:
            log = agent_labels(source.zope, "event")[0]
            patterns = known.patterns.get(source.site, ())
            for name in patterns:
                if values.get(MATCHES, source.site, log, name) is None:
                    text = f"pattern {name} is not looked for in what its agent counts"
                    remedy = "write its event log to a file, or send it by syslog"
                    yield Finding(Severity.WARNING, source.site, source.zope, f"{text} ({remedy})")


def _difference(values: Values, log: LogSource) -> Iterator[Finding]:
    """Yield how far a log and the agent's count of the same have come apart."""
    number = values.get(DIFFERENCE, log.site, log.log)
    if not number:
        return
    things = "requests" if log.kind == "access" else "records"
    more, fewer = ("agent", "log") if number > 0 else ("log", "agent")
    text = f"the {more} has {abs(number):.0f} {things} that the {fewer} has not"
    # An access log may lack errors as it ships. What no record of is read is the agent's to tell.
    if number > 0 and values.total(RECORDS, log.site, log.log):
        remedy = "see which handlers the loggers have, and whether the file can be written"
        yield Finding(Severity.WARNING, log.site, log.log, f"{text} ({remedy})")
    else:
        yield Finding(Severity.OK, log.site, log.log, text)


def blind(sources: Sequence[Source]) -> list[Source]:
    """Return what is there and nobody sees."""
    return [source for source in sources if source.state == "blind"]


def title(source: str) -> str:
    """Return the name of a source in words."""
    return source.replace("_", " ")


def table(sources: Sequence[Source]) -> Iterator[str]:
    """Yield the lines of a table for people: a row for each Zope or ZEO server, then the reasons.

    What is there and nobody sees says NO, what does not apply has a dash.
    """
    if not sources:
        return
    rows: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        rows.setdefault((source.site, source.zope), []).append(CELLS[source.state])
    head = ["watched", "", *map(title, SOURCES)]
    lines = [head, *([*of, *cells] for of, cells in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        yield "  ".join(map(str.ljust, cells, widths)).rstrip()
    for source in blind(sources):
        yield f"NO  {source.site}  {source.zope}  {title(source.name)}: {source.text}"
