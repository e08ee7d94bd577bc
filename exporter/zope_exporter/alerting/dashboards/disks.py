"""The disks that sites are on, each once, and the blobs that should be on one of them."""

from zope_exporter.alerting.thresholds import Limits

from .field_config import PRESENT, falling
from .panels import Panel, Query, series, states_of
from .queries import Metrics


def disks(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    """Return the panels of the disks that hold something of the chosen sites."""
    of_sites = f"and on (cluster, job, instance, mountpoint) {m('zope_disk_holds_info')}"
    free = f"{m('zope_disk_avail_bytes')} / {m('zope_disk_size_bytes')}"
    inodes = f"{m('zope_disk_inodes_free')} / {m('zope_disk_inodes')}"
    bounds = {"minimum": 0, "maximum": 1}
    return (
        series(
            "Free part of each disk",
            "Of all file systems that hold databases, blobs, logs or backups.",
            [Query(f"{free} {of_sites}", "{{instance}} {{mountpoint}}")],
            falling(
                "percentunit", limits.disk_almost_full_critical, limits.disk_almost_full, **bounds
            ),
            width=12,
            runbooks=("ZopeDiskAlmostFull",),
        ),
        series(
            "Free part of the inodes",
            "Each file takes one, however small it is; blobs and caches are many.",
            [Query(f"{inodes} {of_sites}", "{{instance}} {{mountpoint}}")],
            falling("percentunit", limits.inodes_critical, limits.inodes, **bounds),
            width=12,
            runbooks=("ZopeDiskInodesLow",),
        ),
        states_of(
            m,
            "zope_blob_directory_present",
            "Blob directories",
            "{{instance}} {{site}} {{database}}",
            PRESENT,
            runbooks=("ZopeBlobDirectoryMissing",),
        ),
    )
