"""What the databases of this process tell without a lock, a connection, or a look at a storage."""

from __future__ import absolute_import

import collections

from Products.ZopeExporterAgent import relstorage, zeo_client
from Products.ZopeExporterAgent.parts import gather

# A connection that no request holds may just be on its way back to the pool, or be a script's.
LEAKED_AFTER = 5.0  # seconds

_TIMED = "TimedStorage"
_WRAPPERS = (_TIMED, "ZlibStorage", "CipherStorage", "EncryptingStorage")
_IN_MEMORY = ("TemporaryStorage", "MappingStorage")

# What the agent keeps of all databases: their Activity, Packs and SqlStatistics.
Known = collections.namedtuple("Known", "activity packs sql")


def open_databases():
    """All databases opened so far, temporary and mounted ones too, by their names."""
    import Zope2

    root = getattr(Zope2, "DB", None)  # not there before Zope has opened it
    return {} if root is None else dict(root.databases)


def held_since(requests, now):
    """When the oldest connection can have been opened that one of these requests holds."""
    return min([now - LEAKED_AFTER] + [request.start for request in requests])


def database_status(name, database, known, held, errors):
    """One database's part of /v1/status; `known` is what the agent keeps of all of them.

    What was opened before `held` is held by no request; None where requests are not known.
    """
    storage = innermost(database.storage)
    return gather(
        [
            ("connections", lambda: connections(database, held)),
            ("cache", lambda: cache(database)),
            ("activity", lambda: known.activity.watch(database).status()),
            ("pack_running", lambda: known.packs.is_running(name, storage)),
            ("zeo", lambda: zeo_client.status(storage)),
            ("relstorage", lambda: relstorage.status(storage)),
            ("sql", lambda: relstorage.sql(storage, known.sql)),
            ("storage", lambda: type(storage).__name__),
        ],
        errors,
        "databases.%s." % name,
    )


def innermost(storage):
    """The storage behind those that only compress, encrypt, or take the time."""
    return _layers(storage)[-1]


def are_loads_timed(databases):
    """Whether the time of all their loads is known; of what is in memory none is taken."""
    layers = [_layers(database.storage) for database in databases.values()]
    lasting = [each for each in layers if type(each[-1]).__name__ not in _IN_MEMORY]
    return bool(lasting) and all(
        any(type(storage).__name__ == _TIMED for storage in each) for each in lasting
    )


def _layers(storage):
    """A storage and those within it, the innermost one last."""
    found = [storage]
    while type(found[-1]).__name__ in _WRAPPERS:
        found.append(found[-1].base)
    return found


def watch(database, known):
    """Take notice of what has been opened, and of what happened since the last time."""
    known.activity.watch(database).count()
    relstorage.meet(innermost(database.storage), known.sql)


def all_connections(database):
    """Every connection of the current pool, open or not, without the database's lock."""
    known = database.pool.all
    is_old = hasattr(known, "as_weakref_list")  # ZODB 3
    # Copied at once, as no walk over it is: other threads put in new ones.
    references = known.as_weakref_list() if is_old else known.data.copy()
    found = [reference() for reference in references]
    return [connection for connection in found if connection is not None]


def connections(database, held):
    opened = [connection.opened for connection in all_connections(database)]
    in_use = [moment for moment in opened if moment is not None]
    return {
        "in_use": len(in_use),
        "idle": len(opened) - len(in_use),
        "leaked": None if held is None else sum(moment < held for moment in in_use),
        "pool_size": database.pool.size,
        "oldest_open": min(in_use) if in_use else None,
    }


def cache(database):
    caches = [connection._cache for connection in all_connections(database)]
    active = sum(cache.cache_non_ghost_count for cache in caches)
    return {
        "active": active,
        "ghosts": max(0, sum(len(cache) for cache in caches) - active),
        "target_objects": database.getCacheSize(),
        "bytes": sum(cache.total_estimated_size for cache in caches),
        "target_bytes": database.getCacheSizeBytes(),
    }
