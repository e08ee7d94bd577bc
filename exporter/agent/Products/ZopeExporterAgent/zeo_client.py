"""A ZEO client's own state; nothing here asks the server."""

from __future__ import absolute_import

from Products.ZopeExporterAgent.parts import ABSENT


def status(storage):
    if not hasattr(storage, "is_connected"):
        return ABSENT
    found = {"connected": bool(storage.is_connected())}
    generation = getattr(storage, "_connection_generation", None)
    if generation is not None:  # ZODB 3 does not count its connections
        found["generation"] = generation
    cache = storage._cache
    adds, added_bytes, evictions, evicted_bytes, hits = cache.getStats()
    found["cache"] = {
        "objects": len(cache),
        "hits": hits,
        "adds": adds,
        "added_bytes": added_bytes,
        "evictions": evictions,
        "evicted_bytes": evicted_bytes,
        "max_bytes": cache.maxsize,
    }
    return found
