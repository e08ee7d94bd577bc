"""Queries that foretell what becomes too small: by what was seen, and only after enough of it.

They say of each moment what `zope-exporter advise` says of one.
"""

from zope_exporter.alerting.thresholds import Limits

from .queries import SITE, Metrics
from .storage import room

OF_DISK = "cluster, job, instance, mountpoint"
OF_DATABASE = f"{SITE}, database"
OF_POOL = f"{SITE}, zope, database"
WEEK = 7 * 86400


def only_by(labels: str, expr: str) -> str:
    """Return it by these labels alone, so that what is joined with it has no others."""
    return f"max by ({labels}) ({expr})"


def of_pools(m: Metrics, name: str) -> str:
    """Return a metric that each pool of each Zope has."""
    return only_by(OF_POOL, m(name))


def on_disks(m: Metrics, expr: str) -> str:
    """Return it of the file systems that hold something of the chosen sites."""
    return only_by(OF_DISK, f"{expr} and on ({OF_DISK}) {m('zope_disk_holds_info')}")


def full_in(m: Metrics) -> str:
    """Return in how many seconds each file system is full, if it fills."""
    free = m("zope_disk_avail_bytes")
    fills = f"(-deriv({free}[7d]) > 0 and {free} offset 1d)"
    return on_disks(m, f"{free} / {fills}")


def written(m: Metrics, window: str) -> str:
    """Return bytes a second, where as much time was seen."""
    rate = f"rate({m('zope_filestorage_written_bytes_total')}[{window}])"
    seen = f"{m('zope_filestorage_size_bytes')} offset {window}"
    return f"(sum by ({OF_DATABASE}) ({rate}) and on ({OF_DATABASE}) {seen})"


def pace(m: Metrics) -> str:
    """Return the bytes a second of a week, or of a day of what was not seen for a week."""
    return f"({written(m, '7d')} or {written(m, '1d')})"


def no_pack_in(m: Metrics) -> str:
    """Return in how many seconds a pack has no room; as a Data.fs grows, it needs more of less."""
    return f"clamp_min({only_by(OF_DATABASE, room(m))}, 0) / (2 * {pace(m)} > 0)"


def longest(m: Metrics) -> str:
    """Return how many seconds the longest backup of a week took."""
    took = m("zope_action_last_duration_seconds", action="backup")
    return only_by(OF_DATABASE, f"max_over_time({took}[7d])")


def between_backups(m: Metrics) -> str:
    """Return how far apart backups began in the last week; nothing before a week is over."""
    runs = m("zope_action_runs_total", action="backup")
    failures = m("zope_action_failures_total", action="backup")
    succeeded = f"sum by ({OF_DATABASE}) (increase({runs}[7d]) - increase({failures}[7d])) > 0"
    seen = m("zope_action_running", action="backup")
    return f"({WEEK} / ({succeeded}) and on ({OF_DATABASE}) {seen} offset 7d)"


def time_for_backups(m: Metrics) -> str:
    """Return how long a backup may take, as `advise` has it: see `checks/backup_window.py`."""
    every = between_backups(m)
    left = f"{only_by(OF_DATABASE, m('zope_backup_max_age_seconds'))} - {every}"
    return f"(({left} > 0) < {every} or {every})"


def active(m: Metrics) -> str:
    return only_by(OF_POOL, m("zope_cache_objects", state="active"))


def connections(m: Metrics) -> str:
    return f"sum by ({OF_POOL}) ({m('zope_connections')})"


def threads(m: Metrics) -> str:
    """Return the worker threads of the Zope of each pool."""
    pools = of_pools(m, "zope_connection_pool_size")
    of_zope = only_by(f"{SITE}, zope", m("zope_worker_threads"))
    return f"(0 * {pools} + on ({SITE}, zope) group_left () {of_zope})"


def loads(m: Metrics) -> str:
    """Return the objects loaded for each request."""
    loaded, closed = (
        f"sum by ({OF_POOL}) (rate({m(name)}[1d]))"
        for name in ("zope_object_loads_total", "zope_connection_closes_total")
    )
    return f"{loaded} / ({closed} > 0)"


def lacking(m: Metrics, limits: Limits) -> str:
    """Return what is loaded for each request where the cache is too small, as the alert has it."""
    fit = f"{of_pools(m, 'zope_cache_target_objects')} * {connections(m)}"
    full = f"{active(m)} >= {limits.cache_full:g} * {fit}"
    return f"({loads(m)} > {limits.loads_per_request:g} and {full})"


def recommended(m: Metrics, limits: Limits) -> str:
    """Return twice the size where a cache is too small, or all the objects that there are.

    Elsewhere the size that it has.
    """
    size = of_pools(m, "zope_cache_target_objects")
    there = only_by(OF_DATABASE, m("zope_filestorage_objects"))
    all_of_it = f"(0 * {size} + on ({OF_DATABASE}) group_left () {there})"
    twice = f"2 * {size}"
    better = f"({twice} < {all_of_it} or {all_of_it} or {twice})"
    return f"({better} > {size} and {lacking(m, limits)} or {size})"


def more_memory(m: Metrics, limits: Limits) -> str:
    """Return the bytes that this takes, by those that the objects in the cache take."""
    each = f"({of_pools(m, 'zope_cache_size_bytes')} > 0) / {active(m)}"
    more = f"({recommended(m, limits)} - {of_pools(m, 'zope_cache_target_objects')})"
    return f"{each} * {more} * {connections(m)}"
