"""What `check` says of what it does not see."""

import pytest

from tests.collectors.test_coverage import LOG, NO_AGENT, SITE, TO_STDERR, Changes, coverage, seen
from zope_exporter.app.check import Checked, report
from zope_exporter.checks.coverage import judge_watching, table
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.collectors import logs
from zope_exporter.collectors.agent.logs import DIFFERENCE
from zope_exporter.collectors.coverage import Coverage
from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.logs.tail.sources import ExtraLog
from zope_exporter.metrics.failure import Failure
from zope_exporter.metrics.registry import Scrape


def judged(found: Coverage, scrape: Scrape, site: Site = SITE) -> list[tuple[Severity, str, str]]:
    sources = found.of(scrape)
    said = [Finding(Severity.WARNING, "", "", failure.reason) for failure in scrape.failures]
    listed = judge_watching(Inventory((site,)), scrape, found.logs(), sources, said)
    return [(each.severity, each.subject, each.text) for each in listed]


def test_nothing_is_said_where_everything_is_watched() -> None:
    assert judged(coverage(), seen()) == []


def test_logs_that_nobody_reads_are_warnings() -> None:
    found = judged(coverage(TO_STDERR), seen(NO_AGENT), TO_STDERR)
    assert [(severity.name, subject, text.split(":")[0]) for severity, subject, text in found] == [
        ("WARNING", "client1", "its access log is not watched"),
        ("WARNING", "client1", "its event log is not watched"),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({(RECORDS, ("intranet", "client1-event", "ERROR")): 5}, ["payment"]),
        # Of no known format, but patterns are looked for all the same.
        (
            {
                (RECORDS, ("intranet", "client1-agent-event", "ERROR")): 5,
                (MATCHES, ("intranet", "client1-event", "payment")): 0,
            },
            [],
        ),
    ],
)
def test_patterns_of_ones_own_that_no_agent_looks_for_are_named(
    changes: Changes, said: list[str]
) -> None:
    found = judged(coverage(TO_STDERR, patterns=["payment"]), seen(changes), TO_STDERR)
    texts = [text for _, _, text in found if text.startswith("pattern")]
    assert texts == [
        f"pattern {name} is not looked for in what its agent counts (write its event log to a file,"
        " or send it by syslog)"
        for name in said
    ]


def test_what_another_finding_says_is_not_said_twice() -> None:
    failure = Failure("logs", ("intranet", "client1-event"), "event.log cannot be read")
    assert judged(coverage(), seen(failures=[failure])) == []


def test_logs_given_by_hand_are_listed_with_what_is_wrong_with_them() -> None:
    given = ExtraLog("intranet", LOG / "all.log", "event")
    values: Changes = {
        (logs.SIZE, ("intranet", "all.log")): 5000,
        (UNPARSED_LINES, ("intranet", "all.log")): 7,
    }
    assert judged(coverage(extra=[given]), seen(values)) == [
        (
            Severity.OK,
            "all.log",
            "event log /srv/intranet/var/log/all.log, 5 kB, as the configuration gives it",
        ),
        (
            Severity.WARNING,
            "all.log",
            "/srv/intranet/var/log/all.log: none of its 7 lines is of a known format (give its"
            " format: beside its path under logs: event:)",
        ),
    ]


@pytest.mark.parametrize(
    ("log", "records", "difference", "said"),
    [
        ("event", 5, 3, "WARNING the agent has 3 records that the log has not"),
        ("event", 0, 3, "OK the agent has 3 records that the log has not"),
        ("event", 5, -1, "OK the log has 1 records that the agent has not"),
        ("access", 5, 3, "OK the agent has 3 requests that the log has not"),
        ("event", 5, 0, None),
    ],
)
def test_how_far_a_log_and_the_agent_are_apart_is_said(
    log: str, records: int, difference: int, said: str | None
) -> None:
    values: Changes = {
        (RECORDS, ("intranet", f"client1-{log}", "ERROR")): records if log == "event" else None,
        (DIFFERENCE, ("intranet", f"client1-{log}")): difference,
    }
    found = judged(coverage(), seen(values))
    texts = [f"{severity.name} {text.split(' (')[0]}" for severity, _, text in found]
    assert texts == ([said] if said else [])


def test_the_table_has_a_row_for_each_server_and_the_reasons() -> None:
    sources = coverage(TO_STDERR).of(seen(NO_AGENT))
    head, row, *reasons = table(sources)
    assert head.split()[:5] == ["watched", "process", "configuration", "storage", "blobs"]
    seen_of_it = ["yes"] * 4 + ["NO"] * 2 + ["-"] + ["yes"] * 3
    assert row.split() == ["intranet", "client1", *seen_of_it]
    assert [line.split("client1  ")[1].split(":")[0] for line in reasons] == [
        "access log",
        "event log",
    ]
    lines = list(report(Checked([], sources), quiet=False))
    assert lines[0] == "OK: 0 things are OK, 2 sources are not watched"
    assert lines[1:] == [head, row, *reasons]
    assert list(report(Checked([], sources), quiet=True)) == []
