"""RelStorage's cache and pool, by calls that run no SQL.

lastTransaction, getSize and len() would open a session that holds back the server's vacuum.
"""

from __future__ import absolute_import

from Products.ZopeExporterAgent.parts import ABSENT


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
