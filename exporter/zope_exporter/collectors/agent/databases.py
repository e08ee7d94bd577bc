"""The ZODB databases of a Zope, from its agent: connections, caches, conflicts, storages."""

from collections.abc import Iterator
from itertools import product

from zope_exporter.clients.agent.answer import Answer
from zope_exporter.metrics.metric import Metric, Sample

from .instance import numbers_of

DATABASE = ("site", "zope", "database")
KINDS = "read", "write"
OUTCOMES = "retried", "failed"

CONNECTIONS = Metric(
    "zope_connections",
    "gauge",
    "ZODB connections of the pool: in use, leaked ones included, or idle.",
    (*DATABASE, "state"),
)
LEAKED = Metric(
    "zope_connections_leaked",
    "gauge",
    "ZODB connections in use that were opened by no running request.",
    DATABASE,
)
POOL_SIZE = Metric(
    "zope_connection_pool_size",
    "gauge",
    "ZODB connections above which Zope logs a warning and does not keep idle ones: pool-size.",
    DATABASE,
)
OLDEST_OPEN = Metric(
    "zope_connection_oldest_open_timestamp_seconds",
    "gauge",
    "Time at which the connection that has been in use longest was opened, in seconds since"
    " the epoch; absent while none is in use.",
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
    "Active objects to which the cache of each connection is reduced: cache-size.",
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
    "Size to which the cache of each connection is reduced: cache-size-bytes; 0 without a limit.",
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
    "Connections that had stored something when they were closed.",
    DATABASE,
)
CLOSES = Metric(
    "zope_connection_closes_total",
    "counter",
    "Connections that were closed, which is one for each request that used the database.",
    DATABASE,
)
CONFLICTS = Metric(
    "zope_conflicts_total",
    "counter",
    "Requests that had a conflict with another transaction, on reading or writing, and were"
    " retried or failed permanently; the database is empty where it is unknown.",
    (*DATABASE, "kind", "outcome"),
)
PACK_RUNNING = Metric(
    "zope_pack_running",
    "gauge",
    "Whether this process packs the database (1) or not (0); absent if its storage does not"
    " report it.",
    DATABASE,
)
ZEO_CONNECTED = Metric(
    "zope_zeo_client_connected",
    "gauge",
    "Whether the ZEO client is connected to a server (1) or not (0).",
    DATABASE,
)

RELSTORAGE_SIZE = Metric(
    "zope_relstorage_size_bytes",
    "gauge",
    "Size of the SQL database that contains the RelStorage, with everything else in it.",
    DATABASE,
)
RELSTORAGE_OBJECTS = Metric(
    "zope_relstorage_objects",
    "gauge",
    "Objects in the RelStorage: exactly if they are few, else as its SQL database estimates;"
    " absent where it does not.",
    DATABASE,
)
RELSTORAGE_LAST_TRANSACTION = Metric(
    "zope_relstorage_last_transaction_timestamp_seconds",
    "gauge",
    "Time of the last transaction in the RelStorage, at a look each minute, in seconds since the"
    " epoch.",
    DATABASE,
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
_STORAGE_NUMBERS = {
    Metric(
        "zope_zeo_client_connections_total",
        "counter",
        "Times the ZEO client has connected to a server.",
        DATABASE,
    ): ("zeo", "generation"),
    Metric(
        "zope_zeo_client_cache_objects", "gauge", "Objects in the ZEO client's cache.", DATABASE
    ): ("zeo", "cache", "objects"),
    Metric(
        "zope_zeo_client_cache_hits_total",
        "counter",
        "Objects that were found in the ZEO client's cache.",
        DATABASE,
    ): ("zeo", "cache", "hits"),
    Metric(
        "zope_zeo_client_cache_adds_total",
        "counter",
        "Objects that were put into the ZEO client's cache, as every one is that it lacked.",
        DATABASE,
    ): ("zeo", "cache", "adds"),
    Metric(
        "zope_zeo_client_cache_added_bytes_total",
        "counter",
        "Bytes that were put into the ZEO client's cache.",
        DATABASE,
    ): ("zeo", "cache", "added_bytes"),
    Metric(
        "zope_zeo_client_cache_evictions_total",
        "counter",
        "Objects that had to leave the ZEO client's cache for others.",
        DATABASE,
    ): ("zeo", "cache", "evictions"),
    Metric(
        "zope_zeo_client_cache_evicted_bytes_total",
        "counter",
        "Bytes that had to leave the ZEO client's cache for others.",
        DATABASE,
    ): ("zeo", "cache", "evicted_bytes"),
    Metric(
        "zope_zeo_client_cache_max_bytes", "gauge", "Size of the ZEO client's cache.", DATABASE
    ): ("zeo", "cache", "max_bytes"),
    Metric(
        "zope_relstorage_cache_hits_total",
        "counter",
        "Objects that were found in RelStorage's cache.",
        DATABASE,
    ): ("relstorage", "cache", "hits"),
    Metric(
        "zope_relstorage_cache_misses_total",
        "counter",
        "Objects that were not in RelStorage's cache.",
        DATABASE,
    ): ("relstorage", "cache", "misses"),
    Metric(
        "zope_relstorage_cache_sets_total",
        "counter",
        "Objects that were put into RelStorage's cache.",
        DATABASE,
    ): ("relstorage", "cache", "sets"),
    Metric(
        "zope_relstorage_cache_objects",
        "gauge",
        "Objects in RelStorage's cache.",
        DATABASE,
    ): ("relstorage", "cache", "objects"),
    Metric(
        "zope_relstorage_cache_size_bytes",
        "gauge",
        "Size of RelStorage's cache.",
        DATABASE,
    ): ("relstorage", "cache", "bytes"),
    Metric(
        "zope_relstorage_cache_max_bytes",
        "gauge",
        "Size that RelStorage's cache may grow to.",
        DATABASE,
    ): ("relstorage", "cache", "limit_bytes"),
    Metric(
        "zope_relstorage_store_connections",
        "gauge",
        "Connections for writing that RelStorage has to its database, the pooled ones included.",
        DATABASE,
    ): ("relstorage", "store_connections", "open"),
    Metric(
        "zope_relstorage_store_connections_pooled",
        "gauge",
        "Connections for writing that RelStorage has to its database and does not use at the"
        " moment.",
        DATABASE,
    ): ("relstorage", "store_connections", "pooled"),
    RELSTORAGE_SIZE: ("sql", "bytes"),
    RELSTORAGE_OBJECTS: ("sql", "objects"),
    RELSTORAGE_LAST_TRANSACTION: ("sql", "last_transaction"),
}
METRICS = (
    *(CONNECTIONS, LEAKED, POOL_SIZE, OLDEST_OPEN, CACHE_OBJECTS, CACHE_TARGET, CACHE_SIZE),
    *(CACHE_TARGET_BYTES, LOADS, STORES, WRITES, CLOSES, CONFLICTS, PACK_RUNNING),
    *(ZEO_CONNECTED, *_STORAGE_NUMBERS),
)


def database_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of all databases."""
    for database in answer.databases():
        of = {"site": site, "zope": zope, "database": database}
        place = "databases", database
        yield from numbers_of(answer, _NUMBERS, of, *place)
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


def storage_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of all databases that are on ZEO or RelStorage."""
    for database in answer.databases():
        of = {"site": site, "zope": zope, "database": database}
        connected = answer.flag("databases", database, "zeo", "connected")
        if connected is not None:
            yield ZEO_CONNECTED(connected, **of)
        yield from numbers_of(answer, _STORAGE_NUMBERS, of, "databases", database)
