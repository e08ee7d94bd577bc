"""Object caches and connection pools, of which every Zope process has its own."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import BYTES, COUNT, PER_SECOND, RATIO, SECONDS, FieldConfig, rising
from .panels import Panel, Query, rate_of, series, series_of
from .queries import SITE, Metrics

_NAMED = "{{instance}} {{site}} {{zope}} {{database}}"


def cache(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of caches and connections."""
    return Dashboard(
        "zodb-cache",
        "ZODB / Cache and connections",
        "The caches and connection pools of each Zope process, and whether they fit the work.",
        (
            Row("Connections", _connections(m, limits)),
            Row("Object caches", _caches(m, limits)),
            Row("Conflicts", _conflicts(m)),
            Row("Caches of ZEO clients and RelStorage", _storages(m)),
        ),
        variables=("site", "zope", "database"),
    )


def _connections(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    pool = m("zope_connection_pool_size")
    in_use = m("zope_connections", state="in_use")
    opened = m.lasts("zope_connection_oldest_open_timestamp_seconds")
    return (
        series(
            "Connections",
            m.help("zope_connections"),
            [
                Query(m("zope_connections"), f"{_NAMED} {{{{state}}}}"),
                Query(m("zope_connections_leaked"), f"{_NAMED} leaked"),
            ],
            COUNT,
        ),
        series(
            "In use, of the pool",
            m.help("zope_connection_pool_size"),
            [Query(f"{in_use} / ignoring (state) {pool}", _NAMED)],
            rising("percentunit", 1, 2, minimum=0),
            runbooks=("ZopePoolExhausted",),
        ),
        series(
            "Longest in use",
            "For how long the connection that is in use for longest has been open.",
            [Query(opened, _NAMED)],
            rising("s", limits.connection_held),
            runbooks=("ZopeConnectionHeldLong",),
        ),
        series(
            "Pool size",
            m.help("zope_connection_pool_size"),
            [
                Query(pool, _NAMED),
                Query(m("zope_worker_threads"), "{{instance}} {{site}} {{zope}} worker threads"),
            ],
            COUNT,
            width=12,
            runbooks=("ZopePoolSmallerThanThreads",),
        ),
        rate_of(m, "zope_connection_closes_total", "Connections closed", _NAMED, width=12),
    )


def _caches(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    active = m("zope_cache_objects", state="active")
    target = m("zope_cache_target_objects")
    connections = f"sum without (state) ({m('zope_connections')})"
    loads, stores = m.rate("zope_object_loads_total"), m.rate("zope_object_stores_total")
    each = f"{loads} / ({m.rate('zope_connection_closes_total')} > 0)"
    return (
        series_of(m, "zope_cache_objects", "Objects", f"{_NAMED} {{{{state}}}}", COUNT),
        series(
            "Filled",
            "Active objects as part of what the caches of all connections are brought down to.",
            [Query(f"{active} / ignoring (state) ({target} * {connections} > 0)", _NAMED)],
            RATIO,
            runbooks=("ZopeCacheTooSmall",),
        ),
        series(
            "Size",
            m.help("zope_cache_size_bytes"),
            [
                Query(m("zope_cache_size_bytes"), _NAMED),
                Query(f"{m('zope_cache_target_bytes')} > 0", f"{_NAMED} target of each"),
            ],
            BYTES,
        ),
        series(
            "Loads for each request",
            "Objects that had to be loaded, for each closing of a connection: the caches' misses.",
            [Query(each, _NAMED)],
            rising("short", limits.loads_per_request),
            runbooks=("ZopeCacheTooSmall",),
        ),
        series(
            "Loads and stores",
            "Objects a second.",
            [Query(loads, f"{_NAMED} loads"), Query(stores, f"{_NAMED} stores")],
            PER_SECOND,
        ),
        rate_of(m, "zope_write_transactions_total", "Transactions that wrote", _NAMED),
    )


def _conflicts(m: Metrics) -> tuple[Panel, ...]:
    conflicts = f"sum by ({SITE}, zope, kind, outcome) ({m.rate('zope_conflicts_total')})"
    return (
        series(
            "Conflicts",
            m.help("zope_conflicts_total"),
            [Query(conflicts, "{{instance}} {{site}} {{zope}} {{kind}} {{outcome}}")],
            PER_SECOND,
            width=24,
            runbooks=("ZopeConflictsUnresolved",),
        ),
    )


def _storages(m: Metrics) -> tuple[Panel, ...]:
    zeo, relstorage = "zope_zeo_client_cache", "zope_relstorage_cache"
    last = "zope_relstorage_last_transaction_timestamp_seconds"
    hits = m.rate(f"{relstorage}_hits_total")
    misses = m.rate(f"{relstorage}_misses_total")
    found = m.rate(f"{zeo}_hits_total")
    added = m.rate(f"{zeo}_adds_total")
    return (
        series(
            "Found in the cache",
            "Of the objects asked for; what a ZEO client's cache lacks is added to it.",
            [
                Query(f"{found} / ({found} + {added} > 0)", f"{_NAMED} ZEO client"),
                Query(f"{hits} / ({hits} + {misses} > 0)", f"{_NAMED} RelStorage"),
            ],
            FieldConfig("percentunit", minimum=0, maximum=1),
            width=12,
        ),
        series(
            "Objects in the cache",
            f"{m.help(f'{zeo}_objects')} {m.help(f'{relstorage}_objects')}",
            [
                Query(m(f"{zeo}_objects"), f"{_NAMED} ZEO client"),
                Query(m(f"{relstorage}_objects"), f"{_NAMED} RelStorage"),
            ],
            COUNT,
            width=12,
        ),
        series(
            "Size of the cache",
            f"{m.help(f'{zeo}_max_bytes')} {m.help(f'{relstorage}_size_bytes')}",
            [
                Query(m(f"{zeo}_max_bytes"), f"{_NAMED} ZEO client, at most"),
                Query(m(f"{relstorage}_size_bytes"), f"{_NAMED} RelStorage"),
                Query(m(f"{relstorage}_max_bytes"), f"{_NAMED} RelStorage, at most"),
            ],
            BYTES,
            width=12,
        ),
        series(
            "RelStorage's connections for writing",
            m.help("zope_relstorage_store_connections"),
            [
                Query(m("zope_relstorage_store_connections"), _NAMED),
                Query(m("zope_relstorage_store_connections_pooled"), f"{_NAMED} pooled"),
            ],
            COUNT,
            width=12,
        ),
        series(
            "Size of the RelStorage",
            m.help("zope_relstorage_size_bytes"),
            [Query(m("zope_relstorage_size_bytes"), _NAMED)],
            BYTES,
            width=8,
        ),
        series(
            "Objects in the RelStorage",
            m.help("zope_relstorage_objects"),
            [Query(m("zope_relstorage_objects"), _NAMED)],
            COUNT,
            width=8,
        ),
        series(
            "Since the last transaction in the RelStorage",
            m.help(last),
            [Query(m.lasts(last), _NAMED)],
            SECONDS,
            width=8,
        ),
    )
