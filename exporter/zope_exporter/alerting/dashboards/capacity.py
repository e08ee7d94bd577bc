"""What becomes too small, and when: disks, the room for packs, backups, caches and pools."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import (
    BYTES,
    COUNT,
    FAULTS,
    GREEN,
    ORANGE,
    RED,
    SECONDS,
    FieldConfig,
    Step,
    falling,
    rising,
)
from .forecasts import (
    OF_DATABASE,
    OF_POOL,
    active,
    between_backups,
    connections,
    full_in,
    lacking,
    loads,
    longest,
    more_memory,
    no_pack_in,
    of_pools,
    on_disks,
    only_by,
    pace,
    recommended,
    threads,
    time_for_backups,
    written,
)
from .panels import Panel, Query, series, stat
from .queries import Metrics
from .storage import room
from .tables import Column, table

_DAY = 86400

_NOT_FILLING = "none fills, or none was seen for a day"
_NOT_WRITTEN = "none is written, or was seen for a day"
_NO_BACKUPS = "needs a week of backups"


def capacity(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of what `zope-exporter advise` says of one moment."""
    return Dashboard(
        "zope-capacity",
        "Zope / Capacity",
        "What becomes too small, and when: as `zope-exporter advise` says it, which adds how long"
        " backups will take.",
        (
            Row("What is too small first", _first(m, limits)),
            Row("Disks and databases", _growth(m, limits)),
            Row("Backups", _backups(m)),
            Row("Caches and pools", _caches(m, limits)),
        ),
        variables=("site", "zope", "database"),
        since="now-30d",
    )


def _first(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    pools = of_pools(m, "zope_connection_pool_size")
    return (
        stat(
            "First disk full in",
            "By how it filled in the last week.",
            f"min({full_in(m)})",
            _full(limits),
            width=5,
            runbooks=("ZopeDiskFullPredicted",),
            missing=_NOT_FILLING,
        ),
        stat(
            "First pack with no room in",
            "By what was written in the last week: while a Data.fs grows, a pack needs more room"
            " and has less.",
            f"min({no_pack_in(m)})",
            _no_pack(limits),
            width=5,
            runbooks=("ZopePackRoomPredictedGone",),
            missing=_NOT_WRITTEN,
        ),
        stat(
            "Time for backups used",
            "How long the longest backup of a week took, as part of the time there is for it.",
            f"max({longest(m)} / {time_for_backups(m)})",
            rising("percentunit", 1, minimum=0),
            width=5,
            runbooks=("ZopeActionRunningLong",),
            missing=_NO_BACKUPS,
        ),
        stat(
            "Caches too small",
            "Caches that are full while requests load many objects, as the alert has it.",
            f"count({lacking(m, limits)}) or 0 * count({active(m)})",
            FAULTS,
            width=5,
            runbooks=("ZopeCacheTooSmall",),
        ),
        stat(
            "Pools below threads",
            "Pools with fewer connections than the Zope has worker threads.",
            f"count({pools} < {threads(m)}) or 0 * count({pools})",
            FAULTS,
            runbooks=("ZopePoolSmallerThanThreads",),
        ),
    )


def _growth(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    named = "{{instance}} {{site}} {{database}}"
    free, size = m("zope_disk_avail_bytes"), m("zope_disk_size_bytes")
    share = falling("percentunit", limits.disk_almost_full_critical, limits.disk_almost_full)
    return (
        table(
            "File systems",
            "Those that hold something of a site, and how they filled in the last week.",
            ("mountpoint", "instance", "cluster"),
            (
                Column("Size", on_disks(m, size), BYTES),
                Column("Free", on_disks(m, free), BYTES),
                Column("Free part", on_disks(m, f"{free} / {size}"), share),
                Column("Full in", full_in(m), _full(limits), "not known to fill"),
            ),
            runbooks=("ZopeDiskFullPredicted",),
        ),
        table(
            "Databases",
            "What is written fills the disk: a pack gives some back, and needs room for that.",
            ("site", "database", "instance", "cluster"),
            (
                Column("Data.fs", only_by(OF_DATABASE, m("zope_filestorage_size_bytes")), BYTES),
                Column("Written a day", f"{_DAY} * {pace(m)}", BYTES, "not seen for a day"),
                Column(
                    "Freed by a pack",
                    f"sum by ({OF_DATABASE}) ({m('zope_filestorage_garbage_bytes')})",
                    BYTES,
                ),
                Column("Room beside a pack", only_by(OF_DATABASE, room(m)), BYTES),
                Column("No room for one in", no_pack_in(m), _no_pack(limits), "not known"),
            ),
            runbooks=("ZopePackRoomPredictedGone",),
        ),
        series(
            "Written in a day",
            m.help("zope_filestorage_written_bytes_total"),
            [Query(f"{_DAY} * {written(m, '1d')}", named)],
            BYTES,
            width=24,
            runbooks=("ZopeStorageGrowthHigh",),
        ),
    )


def _backups(m: Metrics) -> tuple[Panel, ...]:
    took = m("zope_action_last_duration_seconds", "=~", action="backup|pack")
    named = "{{instance}} {{site}} {{database}}"
    return (
        series(
            "Duration against the time there is",
            "The longest backup and pack of a week, how far apart backups begin, and how long one"
            " may take: until the next, and until what it is to save is older than allowed.",
            [
                Query(
                    f"max by ({OF_DATABASE}, action) (max_over_time({took}[7d]))",
                    f"{named} {{{{action}}}}",
                ),
                Query(between_backups(m), f"{named} between backups"),
                Query(time_for_backups(m), f"{named} backup at most"),
            ],
            SECONDS,
            width=24,
            runbooks=("ZopeActionRunningLong",),
        ),
    )


def _caches(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    labels = ("site", "zope", "database", "instance", "cluster")
    target, pools = (
        of_pools(m, "zope_cache_target_objects"),
        of_pools(m, "zope_connection_pool_size"),
    )
    in_use = m("zope_connections", state="in_use")
    below = FieldConfig("percentunit", (Step(1, GREEN),), base=ORANGE)
    return (
        table(
            "Caches",
            "Where a cache is full and its misses are many, twice its size is recommended, or as"
            " many objects as there are; the memory is that of objects now in it.",
            labels,
            (
                Column("cache-size", target, COUNT),
                Column("Filled", f"{active(m)} / ({target} * {connections(m)} > 0)", _SHARE),
                Column("Loads a request", loads(m), rising("short", limits.loads_per_request)),
                Column("Recommended", recommended(m, limits), COUNT),
                Column("More memory", more_memory(m, limits), BYTES),
            ),
            runbooks=("ZopeCacheTooSmall",),
        ),
        table(
            "Pools",
            "Each worker thread takes a connection; those beyond the pool lose their cache.",
            labels,
            (
                Column("pool-size", pools, COUNT),
                Column("Threads", threads(m), COUNT),
                Column("Pool of threads", f"{pools} / {threads(m)}", below),
                Column("Most in use", only_by(OF_POOL, f"max_over_time({in_use}[7d])"), COUNT),
            ),
            runbooks=("ZopePoolSmallerThanThreads",),
        ),
    )


_SHARE = FieldConfig("percentunit", minimum=0)


def _full(limits: Limits) -> FieldConfig:
    return falling("s", limits.disk_predicted_critical, limits.disk_predicted)


def _no_pack(limits: Limits) -> FieldConfig:
    none = {0.0: ("no room", RED)}
    return FieldConfig("s", (Step(limits.pack_room_predicted, GREEN),), base=ORANGE, names=none)
