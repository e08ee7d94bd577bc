"""What `check` says of Zopes with an agent, without one, and by their management pages."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.zopes.fake_agent import STATUS
from zope_exporter.alerting.thresholds import Limits, read_limits
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.relstorage import judge_relstorages
from zope_exporter.checks.zope import judge_agent, judge_databases, judge_workers, judge_zmi
from zope_exporter.clients.agent.answer import Answer
from zope_exporter.clients.agent.diagnosis import Absence
from zope_exporter.clients.agent.package import shipped
from zope_exporter.collectors import zmi
from zope_exporter.collectors.agent import UP, samples_of
from zope_exporter.collectors.agent.databases import CACHE_OBJECTS, CACHE_TARGET
from zope_exporter.collectors.agent.instance import INFO
from zope_exporter.discovery.inventory import Database, Service
from zope_exporter.metrics.registry import Scrape
from zope_exporter.metrics.values import Values

LIMITS = read_limits()
ZOPE = Service("zope", "client1", Path("/srv/zope/etc/zope.conf"), threads=4)
OURS = shipped().version
NONE = Absence("not installed")

OF = {"site": "intranet", "zope": "client1"}
VERSIONS = {
    **dict.fromkeys(set(INFO.labels) - set(OF), ""),
    "zope_version": "6.3.0",
    "python_version": "3.11.7",
}


def values(changes: Mapping[str, Any] = {}) -> Values:
    answer = Answer(json.dumps({**STATUS, **changes}).encode())
    samples = samples_of(answer, "intranet", "client1")
    return Scrape([UP(1, site="intranet", zope="client1"), *samples], []).values


def of_agent(known: Values, absence: Absence = NONE) -> list[tuple[int, str]]:
    found = judge_agent("intranet", ZOPE, known, lambda _: absence)
    return [(finding.severity, finding.text) for finding in found]


def of_databases(
    known: Values, service: Service = ZOPE, limits: Limits = LIMITS
) -> list[tuple[int, str]]:
    found = judge_databases("intranet", service, known, limits)
    return [(finding.severity, finding.text) for finding in found]


def main_database(active: int, leaked: int = 0, pool_size: int = 7) -> dict[str, Any]:
    connections = {"in_use": 3, "idle": 2, "leaked": leaked, "pool_size": pool_size}
    cache = {"active": active, "target_objects": 5000}
    return {"databases": {"main": {"connections": connections, "cache": cache}}}


def test_an_agent_that_answers() -> None:
    agent = {"agent": {"version": OURS}}
    assert of_agent(values(agent)) == [(Severity.OK, f"agent {OURS} in Zope 6.3 answers")]


def test_loads_that_are_not_timed() -> None:
    views: dict[str, Any] = {"fields": ["requests", "seconds", "loads", "conflicts", "errors"]}
    views |= {"total": {"other": [0, 0, 0, 0, 0]}}
    ((severity, text),) = of_agent(
        values({"agent": {"version": OURS}, "requests": {"views": views}})
    )
    assert severity == Severity.OK
    assert text.endswith("answers, loads are not timed (see /docs/agent#how-long-loads-take)")


def test_an_agent_of_another_version() -> None:
    ((severity, text),) = of_agent(values({"agent": {"version": "0.0.1"}}))
    assert severity == Severity.WARNING
    assert text.startswith(f"agent 0.0.1 in Zope 6.3: this exporter comes with {OURS} (zope-exp")


def test_no_agent_is_well_unless_somebody_has_installed_one() -> None:
    nothing = Scrape([], []).values
    assert of_agent(nothing) == [(Severity.OK, "no agent: not installed")]
    waiting = Absence("installed, but not active yet (restart Zope)", True)
    assert of_agent(nothing, waiting) == [(Severity.WARNING, f"no agent: {waiting.reason}")]


def test_an_agent_that_does_not_answer_is_the_failure_of_its_collector() -> None:
    assert of_agent(Scrape([UP(0, site="intranet", zope="client1")], []).values) == []


def test_pools_and_caches() -> None:
    text = "database main: 3 of 7 connections in use, caches hold 20000 of 25000 objects"
    assert of_databases(values(main_database(20_000))) == [(Severity.OK, text)]


def test_full_caches() -> None:
    known = values(main_database(24_000))
    ((severity, text),) = of_databases(known)
    assert (severity, text) == (
        Severity.OK,
        "database main: 3 of 7 connections in use, caches hold 24000 of 25000"
        " objects, which is full: a higher cache-size may save loads, if there is memory",
    )
    ((_, text),) = of_databases(known, limits=replace(LIMITS, cache_full=0.99))
    assert text.endswith("caches hold 24000 of 25000 objects")


def test_leaked_connections() -> None:
    assert of_databases(values(main_database(1, leaked=2)))[1:] == [
        (
            Severity.WARNING,
            "database main: 2 connections leaked: no running request has opened them"
            " (the runbook ZopeConnectionsLeaked explains how to find the reason)",
        )
    ]


@pytest.mark.parametrize(
    ("pool_size", "told"), [(3, []), (2, [Severity.WARNING]), (1, [Severity.CRITICAL])]
)
def test_more_connections_than_the_pool_has(pool_size: int, told: list[Severity]) -> None:
    known = values({**main_database(1, pool_size=pool_size), "workers": {}})
    found = of_databases(known, replace(ZOPE, threads=None))[1:]
    assert [severity for severity, _ in found] == told
    text = f"3 connections are in use, more than the {pool_size} of its pool"
    assert all(text in each for _, each in found)


def test_a_pool_smaller_than_the_threads() -> None:
    _, (severity, text) = of_databases(values(main_database(1, pool_size=3)))
    assert severity == Severity.WARNING
    assert text == "database main: pool-size 3 is less than 4 threads (raise pool-size)"


@pytest.mark.parametrize(("pool_size", "count"), [(3, 1), (4, 0)])
def test_without_an_agent_the_configuration_tells_of_pools(pool_size: int, count: int) -> None:
    database = Database("main", "filestorage", pool_size=pool_size)
    service = Service("zope", "client1", None, databases=(database,), threads=4)
    assert len(of_databases(Scrape([], []).values, service)) == count


@pytest.mark.parametrize(
    ("busy", "told"),
    [
        (8, []),
        (9, [(Severity.WARNING, "9 of 10 worker threads are busy")]),
        (10, [(Severity.CRITICAL, "all 10 worker threads are busy: visitors wait")]),
    ],
)
def test_how_many_are_free_for_the_next_visitor(
    busy: int, told: list[tuple[Severity, str]]
) -> None:
    known = values({"workers": {"server": "waitress", "threads": 10, "busy": busy, "queue": 0}})
    found = list(judge_workers("intranet", ZOPE, known, LIMITS))
    assert [(finding.severity, finding.text) for finding in found] == told


def test_of_workers_that_are_not_known_nothing_is_said() -> None:
    assert not list(judge_workers("intranet", ZOPE, Scrape([], []).values, LIMITS))


def of_zmi(up: float | None) -> list[str]:
    samples = [
        INFO(1, **VERSIONS, **OF),
        CACHE_OBJECTS(10, database="main", state="active", **OF),
        CACHE_TARGET(5000, database="main", **OF),
    ]
    if up is not None:
        samples.append(zmi.UP(up, **OF))
    found = list(judge_zmi("intranet", "client1", Scrape(samples, []).values))
    assert {each.severity for each in found} <= {Severity.OK}
    return [each.text for each in found]


def test_what_comes_from_the_management_pages_says_so() -> None:
    assert of_zmi(1) == [
        "Zope 6.3.0, Python 3.11.7 (from the ZMI, without agent)",
        "database main: 10 objects in caches of 5000 each (from the ZMI, without agent)",
    ]


def test_what_comes_from_the_agent_does_not() -> None:
    assert of_zmi(None) == []
    assert of_zmi(0) == []


def test_a_relstorage_is_listed_with_what_is_known_and_what_is_not() -> None:
    now = 1795000000.5 + 7200
    [told] = judge_relstorages("intranet", ZOPE, values(), now)
    assert told.text == (
        "database users: SQL database of 9 MB, 70000 objects, last transaction 2 h ago,"
        " RelStorage keeps no time of its last pack"
    )
    users = {**STATUS["databases"]["users"], "sql": {"bytes": 9000000}}
    [told] = judge_relstorages("intranet", ZOPE, values({"databases": {"users": users}}), now)
    assert "objects not known" in told.text
    assert list(judge_relstorages("intranet", ZOPE, values({"databases": {}}), now)) == []
