"""ZEO clients and RelStorages of a Zope, from its agent."""

from collections.abc import Iterator

from zope_exporter.metrics.metric import Metric, Sample

from .answer import Answer
from .databases import DATABASE

ZEO_CONNECTED = Metric(
    "zope_zeo_client_connected",
    "gauge",
    "Whether the ZEO client is connected to a server (1) or not (0).",
    DATABASE,
)
ZEO_CONNECTIONS = Metric(
    "zope_zeo_client_connections_total",
    "counter",
    "Times the ZEO client has connected to a server.",
    DATABASE,
)
ZEO_CACHE_OBJECTS = Metric(
    "zope_zeo_client_cache_objects", "gauge", "Objects in the ZEO client's cache.", DATABASE
)
ZEO_CACHE_HITS = Metric(
    "zope_zeo_client_cache_hits_total",
    "counter",
    "Objects that were found in the ZEO client's cache.",
    DATABASE,
)
ZEO_CACHE_ADDS = Metric(
    "zope_zeo_client_cache_adds_total",
    "counter",
    "Objects that were put into the ZEO client's cache, as every one is that it lacked.",
    DATABASE,
)
ZEO_CACHE_ADDED = Metric(
    "zope_zeo_client_cache_added_bytes_total",
    "counter",
    "Bytes that were put into the ZEO client's cache.",
    DATABASE,
)
ZEO_CACHE_EVICTIONS = Metric(
    "zope_zeo_client_cache_evictions_total",
    "counter",
    "Objects that had to leave the ZEO client's cache for others.",
    DATABASE,
)
ZEO_CACHE_EVICTED = Metric(
    "zope_zeo_client_cache_evicted_bytes_total",
    "counter",
    "Bytes that had to leave the ZEO client's cache for others.",
    DATABASE,
)
ZEO_CACHE_LIMIT = Metric(
    "zope_zeo_client_cache_max_bytes", "gauge", "Size of the ZEO client's cache.", DATABASE
)
REL_CACHE_HITS = Metric(
    "zope_relstorage_cache_hits_total",
    "counter",
    "Objects that were found in RelStorage's cache.",
    DATABASE,
)
REL_CACHE_MISSES = Metric(
    "zope_relstorage_cache_misses_total",
    "counter",
    "Objects that were not in RelStorage's cache.",
    DATABASE,
)
REL_CACHE_SETS = Metric(
    "zope_relstorage_cache_sets_total",
    "counter",
    "Objects that were put into RelStorage's cache.",
    DATABASE,
)
REL_CACHE_OBJECTS = Metric(
    "zope_relstorage_cache_objects", "gauge", "Objects in RelStorage's cache.", DATABASE
)
REL_CACHE_SIZE = Metric(
    "zope_relstorage_cache_size_bytes", "gauge", "Size of RelStorage's cache.", DATABASE
)
REL_CACHE_LIMIT = Metric(
    "zope_relstorage_cache_max_bytes",
    "gauge",
    "Size that RelStorage's cache may grow to.",
    DATABASE,
)
REL_STORES = Metric(
    "zope_relstorage_store_connections",
    "gauge",
    "Connections for writing that RelStorage has to its database, the pooled ones included.",
    DATABASE,
)
REL_STORES_POOLED = Metric(
    "zope_relstorage_store_connections_pooled",
    "gauge",
    "Connections for writing that RelStorage has to its database and does not use at the moment.",
    DATABASE,
)

_NUMBERS = {
    ZEO_CONNECTIONS: ("zeo", "generation"),
    ZEO_CACHE_OBJECTS: ("zeo", "cache", "objects"),
    ZEO_CACHE_HITS: ("zeo", "cache", "hits"),
    ZEO_CACHE_ADDS: ("zeo", "cache", "adds"),
    ZEO_CACHE_ADDED: ("zeo", "cache", "added_bytes"),
    ZEO_CACHE_EVICTIONS: ("zeo", "cache", "evictions"),
    ZEO_CACHE_EVICTED: ("zeo", "cache", "evicted_bytes"),
    ZEO_CACHE_LIMIT: ("zeo", "cache", "max_bytes"),
    REL_CACHE_HITS: ("relstorage", "cache", "hits"),
    REL_CACHE_MISSES: ("relstorage", "cache", "misses"),
    REL_CACHE_SETS: ("relstorage", "cache", "sets"),
    REL_CACHE_OBJECTS: ("relstorage", "cache", "objects"),
    REL_CACHE_SIZE: ("relstorage", "cache", "bytes"),
    REL_CACHE_LIMIT: ("relstorage", "cache", "limit_bytes"),
    REL_STORES: ("relstorage", "store_connections", "open"),
    REL_STORES_POOLED: ("relstorage", "store_connections", "pooled"),
}
METRICS = (ZEO_CONNECTED, *_NUMBERS)


def storage_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of all databases that are on ZEO or RelStorage."""
    for database in answer.databases():
        of = {"site": site, "zope": zope, "database": database}
        connected = answer.flag("databases", database, "zeo", "connected")
        if connected is not None:
            yield ZEO_CONNECTED(connected, **of)
        for metric, path in _NUMBERS.items():
            number = answer.number("databases", database, *path)
            if number is not None:
                yield metric(number, **of)
