"""What is said of ZEO servers."""

from typing import Any

import pytest

from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.zeo import judge_zeo
from zope_exporter.clients.zeo.probe import ZeoResult
from zope_exporter.clients.zeo.status import StorageStatus
from zope_exporter.collectors.zeo import ZeoCollector
from zope_exporter.discovery.inventory import Inventory, Site, ZeoServer
from zope_exporter.metrics.registry import Registry

NOW = 1800000000.0
SITE = Site("intranet", zeo=(ZeoServer("zeo", "127.0.0.1:8100", ("1",)),))


def judge(answer: ZeoResult) -> list[Finding]:
    registry = Registry([ZeoCollector(lambda: Inventory((SITE,)), lambda _: answer)])
    return list(judge_zeo(SITE, registry.scrape(30).values, NOW, read_limits()))


def judge_status(**told: Any) -> list[Finding]:
    return judge(ZeoResult(True, {"1": StorageStatus(**told)}))


def finding(severity: Severity, text: str) -> Finding:
    return Finding(severity, "intranet", "zeo zeo", text)


def test_a_server_that_is_well() -> None:
    assert judge_status(clients=2, last_transaction=NOW - 7200) == [
        finding(
            Severity.OK,
            "127.0.0.1:8100 serves storage 1, 2 clients, last transaction 2 h ago",
        )
    ]


def test_a_server_that_does_not_answer() -> None:
    assert judge(ZeoResult(False)) == [
        finding(
            Severity.CRITICAL,
            "no ZEO server answers at 127.0.0.1:8100 (start it, or see its log)",
        )
    ]


def test_a_server_without_the_storage() -> None:
    found = judge(ZeoResult(True, {"other": StorageStatus(clients=1)}))
    assert [(each.severity, each.text) for each in found] == [
        (
            Severity.CRITICAL,
            "127.0.0.1:8100 does not serve storage 1 (add it to zeo.conf)",
        ),
        (Severity.OK, "127.0.0.1:8100 serves storage other, 1 client"),
    ]


def test_an_old_server_that_tells_nothing() -> None:
    [only] = judge(ZeoResult(True))
    assert only.text.endswith("and reports nothing else (set monitor-address in zeo.conf)")


@pytest.mark.parametrize(("held", "severity"), [(301, Severity.WARNING), (40, None)])
def test_a_commit_that_does_not_end(held: float, severity: Severity | None) -> None:
    _, *stuck = judge_status(clients=2, lock_acquired=NOW - held, waiting_commits=3)
    assert [each.severity for each in stuck] == ([severity] if severity else [])
    assert all("3 wait" in each.text for each in stuck)


def test_a_server_that_cannot_be_asked_is_left_to_the_failure_that_says_why() -> None:
    assert judge(ZeoResult(None, problem="127.0.0.1:8100 TLS fails")) == []
