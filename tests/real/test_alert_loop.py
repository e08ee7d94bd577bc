"""From the fault of a real site to the mail in somebody's inbox, and to the one that it is over."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.monitoring.breakage import FAULTS
from tests.support.monitoring.dashboards import expressions, filled, load
from tests.support.monitoring.loop import Loop, running_loop
from tests.support.monitoring.mails import Mail, links_to_runbook
from tests.support.monitoring.prometheus import Prometheus
from tests.support.monitoring.promql import selectors
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.fleet import BACKED_UP, ZEO_SITE
from zope_exporter.demo.alerting import Pace

PACE = Pace(
    scrape=5,
    group=5,
    day=90,
    thresholds={
        # ZEO servers are asked every 10 s, and what follows from one being down comes after it,
        # be the machine as busy as it may.
        "zeo_down": "5s",
        "at_once": "36s",
        "site_down": "34s",
        # And these after what makes them superfluous, be its rules evaluated some times later.
        "soon": "54s",
        "patient": "54s",
        "slowly": "54s",
        "settled": "10s",
        "settled_cause": "30s",
        "remembered": "40s",
        "growth_bytes": "1e6",
        # Of this machine nothing is known, and in a day of 90 s any disk fills soon.
        "disk_watched": "0",
        "disk_watched_critical": "0",
        "disk_almost_full": "0",
        "disk_almost_full_critical": "0",
        "traffic_busy": "1e6",
    },
)
LONGEST_WAIT = 54  # seconds an alert of these waits, but for those that wait for hours
FIRING = 'ALERTS{severity=~"warning|critical", alertstate="firing"}'
EXPECTED = {mail for fault in FAULTS for mail in fault.mails}

# Dashboards ask in vain for these here, and why.
ABSENT = {
    "zope_action_failures_total": "no job has failed",
    "zope_action_last_failure_timestamp_seconds": "no job has failed",
    "zope_broken_class_info": "no class is missing",
    "zope_broken_product_info": "no Zope is 2.13",
    "zope_exporter_scrapes_refused_total": "one Prometheus is not too many",
    "zope_log_resets_total": "no line was lost",
    "zope_plone_profiles_waiting": "no site is one of Plone",
    "zope_plone_site_info": "no site is one of Plone",
    "zope_process_memory_limit_bytes": "not every machine limits memory",
    "zope_relstorage_cache_hits_total": "no database is in RelStorage",
    "zope_relstorage_cache_max_bytes": "no database is in RelStorage",
    "zope_relstorage_cache_objects": "no database is in RelStorage",
    "zope_relstorage_cache_size_bytes": "no database is in RelStorage",
    "zope_relstorage_last_transaction_timestamp_seconds": "no database is in RelStorage",
    "zope_relstorage_objects": "no database is in RelStorage",
    "zope_relstorage_size_bytes": "no database is in RelStorage",
    "zope_relstorage_store_connections": "no database is in RelStorage",
    "zope_relstorage_store_connections_pooled": "no database is in RelStorage",
    "zope_syslog_dropped_messages_total": "one message is not too many",
    "zope_syslog_truncated_messages_total": "nor is it too long",
    "zope_watchdog_messages_total": "alerting was never silent",
    "zope_zeo_conflicts_resolved_total": "ZEO 5 and later do not count them",
    "zope_zmi_up": "every Zope has an agent",
}
# So short that a scrape does not meet one, but for a host that is slow.
SHORT = {
    "zope_action_progress_ratio": "jobs",
    "zope_request_oldest_start_timestamp_seconds": "requests",
    "zope_zeo_lock_acquired_timestamp_seconds": "commits",
}


@pytest.fixture
def loop(agent63: Environment, tmp_path: Path) -> Iterator[Loop]:
    with running_loop(agent63, tmp_path, PACE) as loop:
        yield loop


def unanswered(prometheus: Prometheus, start: float) -> set[str]:
    """Queries of the dashboards that never gave anything since; QueryError at one that cannot be
    evaluated."""
    queries = {expr for dashboard in load() for _, expr in expressions(dashboard)}
    # All of the test, for some things happen at its beginning only.
    asked = {filled(PACE.hurry(expr), __rate_interval="20m", __interval="20m") for expr in queries}
    return {expr for expr in asked if not prometheus.query_since(start, expr, PACE.scrape)}


def asks_for(expr: str) -> set[str]:
    return {series for series, *_ in selectors(expr)}


def a_day_has_passed(prometheus: Prometheus) -> bool:
    return bool(prometheus.query(f"zope_filestorage_size_bytes offset {PACE.day}s"))


def await_mails(loop: Loop, awaited: set[Mail]) -> None:
    """Wait for all of them; AssertionError names those that did not come."""
    with suppress(AssertionError):
        eventually(lambda: set(loop.mails) >= awaited, 300)
    assert awaited - set(loop.mails) == set()


def test_each_fault_is_told_to_the_right_person_and_so_is_its_end(loop: Loop) -> None:
    prometheus, start = loop.prometheus, time.time()
    eventually(lambda: prometheus.query("up == 1"))
    loop.sites.say(b"<134>Nov 25 12:00:00 zope: not the line of an access log")
    loop.sites.in_parallel([lambda sites: sites.get(ZEO_SITE, "/manage_main")] * 4)
    eventually(lambda: a_day_has_passed(prometheus), 300)
    eventually(lambda: not prometheus.pending(LONGEST_WAIT))
    assert loop.mails == []

    loop.sites.in_parallel(fault.breaks for fault in FAULTS)
    await_mails(loop, EXPECTED)
    empty = unanswered(prometheus, start)
    eventually(lambda: not prometheus.pending(LONGEST_WAIT), 300)

    loop.sites.in_parallel(fault.repair for fault in FAULTS if fault.repair)
    over = {mail.over() for mail in EXPECTED}
    await_mails(loop, over)
    eventually(lambda: not prometheus.query(FIRING), 300)
    assert set(loop.mails) - EXPECTED - over == set()
    assert sorted(loop.mails) == sorted(EXPECTED | over), loop.mails
    assert len(loop.stack.mailbox.mails) <= len(EXPECTED | over)
    assert any(links_to_runbook(mail) for mail in loop.stack.mailbox.mails)
    newest, *_ = loop.sites.jobs(loop.exporter)
    assert (newest["site"], newest["origin"]) == (BACKED_UP, "alert ZopeBackupOverdue")
    assert newest["state"] == "succeeded"
    known = {*ABSENT, *SHORT}
    assert {expr for expr in empty if not asks_for(expr) & known} == set()
    assert {name for expr in empty for name in asks_for(expr)} >= ABSENT.keys()
