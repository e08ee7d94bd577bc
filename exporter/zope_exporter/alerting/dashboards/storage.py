"""Each Data.fs: how it grows, what a pack would free, and whether there is room for one."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    GREEN,
    RATIO,
    RED,
    RUNNING,
    SET,
    FieldConfig,
    Step,
    falling,
    rising,
)
from .panels import Panel, Query, bars, rate_of, series, series_of, stat, states
from .queries import SITE, Metrics

_NAMED = "{{instance}} {{site}} {{database}}"
_ROOM = FieldConfig("bytes", (Step(0, GREEN),), base=RED)


def storage(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of databases and their files."""
    return Dashboard(
        "zodb-storage",
        "ZODB / Storage",
        "Each Data.fs: size and growth, garbage, packs, free space, blobs.",
        (
            Row("State", _state(m, limits)),
            Row("Data.fs", _data(m)),
            Row("Packs", _packs(m)),
            Row("Blobs", _blobs(m)),
        ),
        variables=("site", "database"),
        since="now-7d",
    )


def room(m: Metrics) -> str:
    """Return what a pack would leave free while it runs."""
    free, old = m("zope_filesystem_avail_bytes"), m("zope_filestorage_old_size_bytes")
    return f"{free} + {old} - {m('zope_filestorage_size_bytes')}"


def free_ratio(m: Metrics) -> str:
    return f"{m('zope_filesystem_avail_bytes')} / {m('zope_filesystem_size_bytes')}"


def least_free_space(m: Metrics, limits: Limits) -> Panel:
    return stat(
        "Least free space",
        "Free part of the file system of that Data.fs which has the least.",
        f"min({free_ratio(m)})",
        falling(
            "percentunit",
            limits.disk_almost_full_critical,
            limits.disk_almost_full,
            minimum=0,
            maximum=1,
        ),
        runbooks=("ZopeDiskAlmostFull",),
    )


def _state(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    free = m("zope_filesystem_avail_bytes")
    return (
        least_free_space(m, limits),
        stat(
            "Least room for a pack",
            "What would be left free while a pack runs: it deletes Data.fs.old first and then "
            "writes a second Data.fs; below 0 it may fail.",
            f"min({room(m)})",
            _ROOM,
            runbooks=("ZopeNoRoomForPack",),
        ),
        stat(
            "Since the last pack",
            "Of that database whose last pack is the longest ago.",
            f"max({m.since('zope_filestorage_last_pack_timestamp_seconds')})",
            rising("s", limits.pack_overdue),
            runbooks=("ZopePackOverdue",),
        ),
        stat(
            "Replaced while in use",
            m.help("zope_filestorage_replaced"),
            f"max({m('zope_filestorage_replaced')})",
            SET,
            runbooks=("ZopeDataFileReplaced",),
        ),
        stat(
            "Left by aborted packs",
            m.help("zope_filestorage_leftover_bytes"),
            f"sum({m('zope_filestorage_leftover_bytes')})",
            rising("bytes", 1),
            runbooks=("ZopePackLeftover",),
        ),
        stat(
            "Full in",
            "When the first file system will be full if it goes on filling as it did in the last "
            "day; no data while none fills.",
            f"min({free} / (-deriv({free}[1d]) > 0))",
            falling("s", limits.disk_predicted_critical, limits.disk_predicted),
            runbooks=("ZopeDiskFullPredicted",),
        ),
    )


def _data(m: Metrics) -> tuple[Panel, ...]:
    size = m("zope_filestorage_size_bytes")
    written = m.rate("zope_filestorage_written_bytes_total")
    classes = f"sort_desc(sum by ({SITE}, class) ({m('zope_filestorage_class_bytes')}))"
    return (
        series(
            "Size",
            "Data.fs, and what the last pack has left as Data.fs.old.",
            [
                Query(size, _NAMED),
                Query(
                    m("zope_filestorage_old_size_bytes"), "{{instance}} {{site}} {{database}} old"
                ),
            ],
            BYTES,
        ),
        series(
            "Growth in a day",
            "Difference to the same time of the day before; a pack makes it negative.",
            [Query(f"{size} - ({size} offset 1d)", _NAMED)],
            BYTES,
            runbooks=("ZopeStorageGrowthHigh",),
        ),
        rate_of(m, "zope_filestorage_transactions_total", "Transactions", _NAMED),
        series(
            "What is written",
            m.help("zope_filestorage_written_bytes_total"),
            [Query(f"sum by ({SITE}, class) ({written}) > 0", "{{instance}} {{site}} {{class}}")],
            BYTES_PER_SECOND,
            stacked=True,
            beside=True,
            width=16,
            runbooks=("ZopeStorageGrowthHigh",),
        ),
        bars(
            "Classes by size",
            m.help("zope_filestorage_class_bytes"),
            Query(classes, "{{instance}} {{class}}", instant=True),
            BYTES,
        ),
        series_of(
            m,
            "zope_filestorage_garbage_bytes",
            "Garbage",
            f"{_NAMED} {{{{kind}}}}",
            BYTES,
            stacked=True,
            width=12,
            runbooks=("ZopeGarbageHigh",),
        ),
        series_of(m, "zope_filestorage_objects", "Objects", _NAMED, COUNT, width=12),
    )


def _packs(m: Metrics) -> tuple[Panel, ...]:
    return (
        states(
            "Packs by Zope",
            m.help("zope_pack_running"),
            Query(f"max by ({SITE}, database) ({m('zope_pack_running')})", _NAMED),
            RUNNING,
            width=12,
        ),
        series(
            "Free space and the room left by a pack",
            "Free space of the file system, and what a pack would leave of it: it deletes "
            "Data.fs.old first and then writes a second Data.fs.",
            [
                Query(m("zope_filesystem_avail_bytes"), "{{instance}} {{site}} {{database}} free"),
                Query(room(m), "{{instance}} {{site}} {{database}} left by a pack"),
            ],
            BYTES,
            width=12,
            height=6,
            runbooks=("ZopeNoRoomForPack",),
        ),
        series_of(
            m,
            "zope_filestorage_scan_progress_ratio",
            "Background scan",
            _NAMED,
            RATIO,
            width=12,
            height=6,
        ),
        series(
            "Last background scan",
            m.help("zope_filestorage_scan_timestamp_seconds"),
            [Query(m.since("zope_filestorage_scan_timestamp_seconds"), _NAMED)],
            FieldConfig("s"),
            width=12,
            height=6,
        ),
    )


def _blobs(m: Metrics) -> tuple[Panel, ...]:
    return (
        series(
            "Size of blobs",
            m.help("zope_blob_size_bytes"),
            [
                Query(m("zope_blob_size_bytes"), _NAMED),
                Query(m("zope_blob_old_size_bytes"), "{{instance}} {{site}} {{database}} old"),
            ],
            BYTES,
        ),
        series_of(m, "zope_blob_files", "Blob files", _NAMED, COUNT),
        series_of(
            m,
            "zope_blob_leftover_bytes",
            "Unused blobs",
            "{{instance}} {{site}} {{database}} {{kind}}",
            BYTES,
        ),
    )
