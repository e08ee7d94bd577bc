"""RelStorage's cache and pool, by calls that run no SQL, and what its SQL database holds.

lastTransaction, getSize and len() are not called: they would wait for the server here, open a
session that holds back its vacuum, and partly count a whole table.
"""

from __future__ import absolute_import

from Products.ZopeExporterAgent.parts import ABSENT


def meet(storage, statistics):
    """Take notice of a storage that has been opened."""
    if type(storage).__name__ == "RelStorage":
        statistics.meet(storage._adapter)


def status(storage):
    if type(storage).__name__ != "RelStorage":
        return ABSENT
    cache = storage._cache
    stats = cache.stats()
    pool = storage._store_connection_pool
    return {
        "cache": {
            "hits": stats["hits"],
            "misses": stats["misses"],
            "sets": stats["sets"],
            "objects": stats["len"],
            "bytes": stats["bytes"],
            "limit_bytes": cache.limit,
        },
        "store_connections": {
            "open": pool.instance_count,
            "pooled": pool.pooled_connection_count,
        },
    }


def sql(storage, statistics):
    """What was found in its database at the last look."""
    found = None
    if type(storage).__name__ == "RelStorage":
        found = statistics.of(storage._adapter)
    return ABSENT if found is None else found
