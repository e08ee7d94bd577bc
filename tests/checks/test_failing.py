"""A site in flames is critical, by whatever can tell of it; what nobody can know is not said."""

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.support.web.status import NOW, healthy, inventory, observed, without
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.failing import failing, judge_each_failing, judge_failing
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.log_ends import LogEnds
from zope_exporter.collectors.agent.instance import RESPONSES
from zope_exporter.collectors.pipeline import ACCESS_LOG_COMPLETE
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.tail.sources import LogKind, LogSource
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Offers

LIMITS = read_limits()
SITE = {"site": "intranet"}
ACCESS = {**SITE, "log": "client1-access", "method": "GET"}
EXCEPTION = MATCHES(0, **SITE, log="client1-event", pattern="unhandled_exception")
INCOMPLETE = ACCESS_LOG_COMPLETE(0, **SITE, zope="client1")
CODES = {"200": 36, "500": 9}
COMPLETE = ACCESS_LOG_COMPLETE(1, **SITE, zope="client1")


def said(*rates: Sample, complete: Sample = INCOMPLETE) -> list[str]:
    """What is said of these rates a second, the value of each sample being one."""
    values = Scrape([*rates, complete], []).values

    def rate(metric: Metric, labels: Mapping[str, str]) -> float:
        return values.get(metric, *labels.values()) or 0.0

    found = failing("intranet", values, rate)
    return [f"{f.severity.name} {f.text}" for f in judge_failing("intranet", found, LIMITS)]


NINE_OF_TEN = MATCHES(9, **SITE, log="client1-event", pattern="unhandled_exception")
GOOD = REQUESTS(1, **ACCESS, code="200")
AGENT_OF_ANOTHER = RESPONSES(1, **SITE, zope="client2", code="200")


def test_nine_of_ten_pages_fail_without_an_agent() -> None:
    assert said(GOOD, REQUESTS(0, **ACCESS, code="500"), NINE_OF_TEN) == [
        "CRITICAL 90% of the requests of the last 5 min failed, by its event log"
        " (see the exceptions in the event log)"
    ]


def test_of_how_many_requests_nobody_counts() -> None:
    assert said(NINE_OF_TEN) == [
        "CRITICAL 540 requests a minute of the last 5 min failed, by its event log; the total is"
        " not counted (see the exceptions in the event log)"
    ]


@pytest.mark.parametrize(
    ("rates", "severity"),
    [
        ([RESPONSES(9, **SITE, zope="client1", code="500")], "CRITICAL"),
        ([GOOD, REQUESTS(9, **ACCESS, code="500")], "CRITICAL"),
        ([GOOD, REQUESTS(0.1, **ACCESS, code="503")], "WARNING"),
        ([GOOD, REQUESTS(0.01, **ACCESS, code="500")], ""),
        ([NINE_OF_TEN._replace(value=0.05)], "WARNING"),
        ([NINE_OF_TEN._replace(value=0.01)], ""),
        ([GOOD, NINE_OF_TEN, AGENT_OF_ANOTHER], "CRITICAL"),
        ([GOOD, EXCEPTION, AGENT_OF_ANOTHER], ""),
        ([GOOD, EXCEPTION], ""),
    ],
)
@pytest.mark.parametrize("complete", [COMPLETE, INCOMPLETE])
def test_errors_are_told_by_who_counts_them(
    rates: list[Sample], complete: Sample, severity: str
) -> None:
    assert [text.split()[0] for text in said(*rates, complete=complete)] == [severity] * bool(
        severity
    )


def test_a_single_look_at_an_agent_tells_of_no_requests_the_log_does() -> None:
    unmoved = RESPONSES(0, **SITE, zope="client1", code="200")
    [text] = said(GOOD._replace(value=30), REQUESTS(2, **ACCESS, code="500"), unmoved)
    assert text.startswith("WARNING 6% of the requests of the last 5 min failed, by its log")


def test_what_the_agent_has_counted_the_logs_do_not_tell_again() -> None:
    agents = [RESPONSES(value, **SITE, zope="client1", code=c) for c, value in CODES.items()]
    [text] = said(*agents, GOOD, NINE_OF_TEN)
    assert text.startswith("WARNING 20% of the requests of the last 5 min failed, by the agent")


def test_the_status_page_of_a_site_in_flames_is_critical() -> None:
    found = inventory()
    quiet = without(healthy(found), RESPONSES)

    def burning(seconds: float) -> Scrape:
        counted = [
            REQUESTS(1000 + seconds, **ACCESS, code="200"),
            MATCHES(9 * seconds, **SITE, log="client1-event", pattern="unhandled_exception"),
            INCOMPLETE,
        ]
        return Scrape([*quiet.samples, *counted], [])

    seen = observed(found, [burning(30.0 * step) for step in range(12)])
    [site] = compose(seen, LIMITS, list, Offers, lambda: NOW).sites
    assert site.severity is Severity.CRITICAL
    [reason] = [each for each in site.reasons if each.subject == "requests"]
    assert reason.text.startswith("90% of the requests of the last 5 min failed")


def source(kind: LogKind, path: Path, text: str) -> LogSource:
    path.write_text(text)
    return LogSource("intranet", f"client1-{kind}", path, kind)


def ends(*sources: LogSource) -> LogEnds:
    return LogEnds(sources, CounterMaker({}).of_file, NOW)


def clf(when: float, code: int) -> str:
    stamp = datetime.fromtimestamp(when, timezone.utc).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'127.0.0.1 - - [{stamp}] "GET / HTTP/1.1" {code} 17\n'


def exception(when: float) -> str:
    stamp = datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - as Zope
    return f"{stamp},000 ERROR [waitress:1] Exception while serving /boom\nTraceback:\n  x\n"


def test_one_look_reads_the_last_minutes_of_the_logs(tmp_path: Path) -> None:
    old = [NOW - 4000 + n for n in range(50)]
    late = [NOW - 300 + 3 * n for n in range(100)]
    looked = ends(
        source("access", tmp_path / "a", "".join(clf(when, 200) for when in [*old, *late])),
        source("event", tmp_path / "e", "".join(exception(when) for when in [*old, *late])),
    )
    of = {"site": "intranet", "log": "client1-event", "pattern": "unhandled_exception"}
    assert looked.rate(MATCHES, of) == pytest.approx(1 / 3)
    assert looked.rate(REQUESTS, {**ACCESS, "code": "200"}) == pytest.approx(1 / 3)
    scrape = looked.in_place_of_counts(Scrape([EXCEPTION, INCOMPLETE], []))
    values = scrape.values
    assert values.get(MATCHES, *of.values()) == 150
    assert values.get(ACCESS_LOG_COMPLETE, "intranet", "client1") == 0


def test_a_young_log_has_had_no_more_than_it_holds_and_a_large_one_what_its_end_tells(
    tmp_path: Path,
) -> None:
    of = {"site": "intranet", "log": "client1-event", "pattern": "unhandled_exception"}
    young = "".join(exception(NOW - 10 + n) for n in range(9))
    looked = ends(source("event", tmp_path / "young", young))
    assert looked.rate(MATCHES, of) == pytest.approx(9 / 300)
    one_a_second = [exception(NOW - n) + "x" * 5000 + "\n" for n in range(1000, 0, -1)]
    looked = ends(source("event", tmp_path / "large", "".join(one_a_second)))
    assert looked.rate(MATCHES, of) == pytest.approx(1, abs=0.05)


def test_a_log_of_another_format_and_one_that_is_gone_say_nothing(tmp_path: Path) -> None:
    gone = source("access", tmp_path / "gone", "")
    gone.path.unlink()
    looked = ends(gone, source("event", tmp_path / "e", "hello\n" * 30))
    assert Scrape(looked.samples, []).values.total(RECORDS, "intranet") == 0
    of = {"site": "intranet", "log": "client1-event", "pattern": "unhandled_exception"}
    assert looked.rate(MATCHES, of) == 0


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ({"client1": (1.0, 0.0), "client2": (0.0, 0.2)}, ["client2"]),
        ({"client1": (1.0, 0.0), "client2": (0.1, 0.2)}, []),
        ({"client1": (1.0, 0.0), "client2": (0.0, 0.001)}, []),
        ({"client2": (0.0, 5.0)}, []),  # of the only one the site's own share tells
    ],
)
def test_one_of_several_that_answers_nothing_but_errors(
    rates: dict[str, tuple[float, float]], told: list[str]
) -> None:
    samples = [
        RESPONSES(each, **SITE, zope=zope, code=code)
        for zope, both in rates.items()
        for code, each in zip(("200", "500"), both, strict=True)
    ]
    values = Scrape(samples, []).values

    def rate(metric: Metric, labels: Mapping[str, str]) -> float:
        return values.get(metric, *labels.values()) or 0.0

    found = list(judge_each_failing("intranet", values, rate, LIMITS))
    assert [(each.severity, each.subject) for each in found] == [
        (Severity.CRITICAL, zope) for zope in told
    ]
