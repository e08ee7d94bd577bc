"""Connections and caches of a real database, and who holds them."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from weakref import WeakSet

import pytest
import ZODB
from Products.ZopeExporterAgent.databases import (
    LEAKED_AFTER,
    all_connections,
    cache,
    connections,
    held_since,
)
from Products.ZopeExporterAgent.requests import Requests


@pytest.fixture
def database() -> Iterator[ZODB.DB]:
    made = ZODB.DB(None, pool_size=5, cache_size=123, cache_size_bytes=4567)
    yield made
    made.close()


def test_connections_are_in_use_or_idle(database: ZODB.DB) -> None:
    first, second = database.open(), database.open()
    second.close()
    found = connections(database, 0.0)
    assert found == {
        "in_use": 1,
        "idle": 1,
        "leaked": 0,
        "pool_size": 5,
        "oldest_open": first.opened,
    }
    first.close()
    found = connections(database, 0.0)
    assert (found["in_use"], found["idle"], found["oldest_open"]) == (0, 2, None)


def test_leaked_is_what_is_older_than_any_request(database: ZODB.DB) -> None:
    connection = database.open()
    now = time.time()
    requests = Requests()
    assert connections(database, held_since(requests.in_progress(), now))["leaked"] == 0
    later = now + LEAKED_AFTER + 1
    assert connections(database, held_since(requests.in_progress(), later))["leaked"] == 1
    request = requests.begin({})
    request.start = connection.opened - 0.1
    assert connections(database, held_since(requests.in_progress(), later))["leaked"] == 0
    request.start = connection.opened + 0.1
    assert connections(database, held_since(requests.in_progress(), later))["leaked"] == 1
    connection.close()


def test_where_requests_are_not_known_neither_is_what_leaks(database: ZODB.DB) -> None:
    connection = database.open()
    assert connections(database, None)["leaked"] is None
    connection.close()


def test_objects_are_active_or_ghosts(database: ZODB.DB) -> None:
    with database.transaction() as connection:
        connection.root.number = 1
    connection = database.open()
    held = connection.root()  # a ghost to which nothing refers is forgotten
    assert held["number"] == 1
    active = cache(database)
    assert (active["active"], active["ghosts"]) == (1, 0)
    assert (active["target_objects"], active["target_bytes"]) == (123, 4567)
    assert active["bytes"] > 0
    connection.cacheMinimize()
    ghosts = cache(database)
    assert ghosts["active"] == 0
    assert ghosts["ghosts"] == 1
    connection.close()


def test_connections_that_come_and_go_meanwhile_do_no_harm() -> None:
    class Connection:
        pass

    pool: WeakSet[Connection] = WeakSet()
    stays = [Connection() for _ in range(500)]
    pool.update(stays)
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            come = [Connection() for _ in range(500)]
            pool.update(come)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(2000):
            database = SimpleNamespace(pool=SimpleNamespace(all=pool))
            assert len(all_connections(database)) >= len(stays)
    finally:
        stop.set()
        other.join()
