"""Connections, caches and conflicts of every ZODB database of a Zope, from its agent."""

from collections.abc import Iterator
from itertools import product

from zope_exporter.metrics.metric import Metric, Sample

from .answer import Answer

DATABASE = ("site", "zope", "database")

CONNECTIONS = Metric(
    "zope_connections",
    "gauge",
    "ZODB connections of the pool: in use, leaked ones included, or idle.",
    (*DATABASE, "state"),
)
LEAKED = Metric(
    "zope_connections_leaked",
    "gauge",
    "ZODB connections in use that no running request has opened.",
    DATABASE,
)
POOL_SIZE = Metric(
    "zope_connection_pool_size",
    "gauge",
    "ZODB connections above which Zope logs a warning and keeps no more idle ones: pool-size.",
    DATABASE,
)
OLDEST_OPEN = Metric(
    "zope_connection_oldest_open_timestamp_seconds",
    "gauge",
    "When the connection that is in use for longest was opened, in seconds since the epoch; absent"
    " while none is.",
    DATABASE,
)
CACHE_OBJECTS = Metric(
    "zope_cache_objects",
    "gauge",
    "Objects in the caches of all connections together: active (loaded) or ghost (a reference"
    " only).",
    (*DATABASE, "state"),
)
CACHE_TARGET = Metric(
    "zope_cache_target_objects",
    "gauge",
    "Active objects that each connection's cache is brought down to: cache-size.",
    DATABASE,
)
CACHE_SIZE = Metric(
    "zope_cache_size_bytes",
    "gauge",
    "Estimated size of the active objects in the caches of all connections together.",
    DATABASE,
)
CACHE_TARGET_BYTES = Metric(
    "zope_cache_target_bytes",
    "gauge",
    "Size that each connection's cache is brought down to: cache-size-bytes; 0 without a limit.",
    DATABASE,
)
LOADS = Metric(
    "zope_object_loads_total",
    "counter",
    "Objects that connections loaded from the storage or its cache, counted as they are closed.",
    DATABASE,
)
STORES = Metric(
    "zope_object_stores_total",
    "counter",
    "Objects that connections stored, counted as they are closed.",
    DATABASE,
)
WRITES = Metric(
    "zope_write_transactions_total",
    "counter",
    "Connections that were closed after they had stored something.",
    DATABASE,
)
CLOSES = Metric(
    "zope_connection_closes_total",
    "counter",
    "Times a connection was closed, which is once for each request that used the database.",
    DATABASE,
)
CONFLICTS = Metric(
    "zope_conflicts_total",
    "counter",
    "Requests that met a conflict with another transaction, on reading or writing, and were retried"
    " or failed for good; the database is empty where the conflict does not tell.",
    (*DATABASE, "kind", "outcome"),
)
PACK_RUNNING = Metric(
    "zope_pack_running",
    "gauge",
    "Whether this process packs the database (1) or not (0); absent where its storage does not"
    " tell.",
    DATABASE,
)
METRICS = (
    *(CONNECTIONS, LEAKED, POOL_SIZE, OLDEST_OPEN, CACHE_OBJECTS, CACHE_TARGET, CACHE_SIZE),
    *(CACHE_TARGET_BYTES, LOADS, STORES, WRITES, CLOSES, CONFLICTS, PACK_RUNNING),
)

_NUMBERS = {
    LEAKED: ("connections", "leaked"),
    POOL_SIZE: ("connections", "pool_size"),
    OLDEST_OPEN: ("connections", "oldest_open"),
    CACHE_TARGET: ("cache", "target_objects"),
    CACHE_SIZE: ("cache", "bytes"),
    CACHE_TARGET_BYTES: ("cache", "target_bytes"),
    LOADS: ("activity", "loads"),
    STORES: ("activity", "stores"),
    WRITES: ("activity", "transactions"),
    CLOSES: ("activity", "closes"),
}
_STATES = {
    "in_use": (CONNECTIONS, ("connections", "in_use")),
    "idle": (CONNECTIONS, ("connections", "idle")),
    "active": (CACHE_OBJECTS, ("cache", "active")),
    "ghost": (CACHE_OBJECTS, ("cache", "ghosts")),
}
KINDS = "read", "write"
OUTCOMES = "retried", "failed"


def database_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of all databases."""
    for database in answer.databases():
        of = {"site": site, "zope": zope, "database": database}
        place = "databases", database
        for metric, path in _NUMBERS.items():
            number = answer.number(*place, *path)
            if number is not None:
                yield metric(number, **of)
        for state, (metric, path) in _STATES.items():
            number = answer.number(*place, *path)
            if number is not None:
                yield metric(number, state=state, **of)
        running = answer.flag(*place, "pack_running")
        if running is not None:
            yield PACK_RUNNING(running, **of)


def conflict_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the conflicts of all databases, 0 where there were none."""
    length = answer.length("conflicts")
    if length is None:
        return
    databases = answer.databases()
    counted = dict.fromkeys(product(databases, KINDS, OUTCOMES), 0.0)
    for index in range(length):
        database, kind, outcome = (
            answer.text("conflicts", index, key) for key in ("database", "kind", "outcome")
        )
        count = answer.number("conflicts", index, "count")
        if kind not in KINDS or outcome not in OUTCOMES or count is None:
            answer.doubt(f"conflicts.{index} is of no known kind or outcome")
            continue
        key = database if database in databases else "", kind, outcome
        counted[key] = counted.get(key, 0.0) + count
    for (database, kind, outcome), count in counted.items():
        of = {"site": site, "zope": zope, "database": database}
        yield CONFLICTS(count, kind=kind, outcome=outcome, **of)
