"""What to set differently, by what an agent tells."""

import json
from typing import Any

import pytest

from tests.checks.test_zope import LIMITS, ZOPE, values
from tests.support.zopes.fake_agent import STATUS
from zope_exporter.checks.advice import Advice, Pace, advise_storage, advise_zope
from zope_exporter.clients.agent.answer import Answer
from zope_exporter.collectors import datafs, filestorage
from zope_exporter.collectors.agent import samples_of
from zope_exporter.metrics.values import Values

DAY = 86400.0
OF = {"site": "intranet", "database": "main"}


def of_zope(known: Values) -> list[Advice]:
    return [*advise_zope("intranet", ZOPE, known, LIMITS)]


def database(
    active: int, loads: int, closes: int = 100, pool_size: int = 7, size: int = 50_000_000
) -> dict[str, Any]:
    connections = {"in_use": 3, "idle": 2, "leaked": 0, "pool_size": pool_size}
    cache = {"active": active, "target_objects": 5000, "bytes": size}
    activity = {"loads": loads, "stores": 0, "transactions": 0, "closes": closes}
    main = {"connections": connections, "cache": cache, "activity": activity}
    return {"databases": {"main": main}}


def test_a_pool_below_the_threads_is_to_be_raised_to_them() -> None:
    [advice] = of_zope(values(database(10, 10, pool_size=2)))
    assert advice.text.startswith("raise pool-size of database main to 4: ")
    assert advice.evidence == "pool-size 2, 4 worker threads"


def test_a_full_cache_that_loads_much_is_to_be_larger_and_costs_memory() -> None:
    [advice] = of_zope(values(database(25_000, 50_000)))
    assert advice.text == "try cache-size 10000 for database main: it takes about 50 MB more memory"
    assert advice.evidence == (
        "500 objects are loaded per request since its start by a cache-size of 5000, and the caches"
        " of 5 connections have 25000 objects, of 25000 that fit"
    )
    [unknown] = of_zope(values(database(25_000, 50_000, size=0)))
    assert unknown.facts["memory_bytes"] is None


def test_each_database_of_a_zope_has_a_cache_of_its_own() -> None:
    names = {"main": 50_000, "catalog": 30_000, "archive": 500}
    of = {name: database(25_000, loads)["databases"]["main"] for name, loads in names.items()}
    answer = Answer(json.dumps({**STATUS, "databases": of}).encode())
    objects = datafs.OBJECTS(7000, site="intranet", database="catalog")
    found = of_zope(Values([*samples_of(answer, "intranet", "client1"), objects]))
    assert [each.facts for each in found] == [
        {
            "loads_per_request": loads,
            "cache_size": 5000,
            "active_objects": 25_000,
            "connections": 5,
            "recommended_cache_size": better,
            "memory_bytes": memory,
        }
        for loads, better, memory in ((500, 10_000, 50e6), (300, 7000, 20e6))
    ]


@pytest.mark.parametrize(
    ("active", "loads", "closes"),
    [(10_000, 50_000, 100), (25_000, 500, 100), (25_000, 50_000, 0)],
    ids=["not full", "few loads", "no request"],
)
def test_without_evidence_there_is_no_line(active: int, loads: int, closes: int) -> None:
    assert of_zope(values(database(active, loads, closes))) == []


@pytest.mark.parametrize(
    ("pace", "free", "lines"),
    [
        (None, 1e9, []),
        (Pace(0, 7 * DAY), 1e9, []),
        (Pace(7_000_000, 7 * DAY), 1e12, []),
        (Pace(7_000_000_000, 7 * DAY), 40e9, ["its disk is full in 40 d", "in 18 d no pack fits"]),
        (Pace(7_000_000, 7 * DAY), 2e9, ["a pack does not fit any more"]),
    ],
    ids=["unknown", "nothing written", "years", "soon", "no pack"],
)
def test_a_forecast_is_of_a_year_at_most(pace: Pace | None, free: float, lines: list[str]) -> None:
    samples = [filestorage.SIZE(3e9, **OF), filestorage.AVAILABLE(free, **OF)]
    found = [*advise_storage("intranet", "main", Values(samples), pace)]
    assert len(found) == len(lines)
    for advice, begin in zip(found, lines, strict=True):
        assert advice.text.startswith(begin)
        assert advice.evidence
