"""States of a site that last, as the exporter's samples: what `check` and the alerts say of each.

`NOW` is when `check` looks; a timestamp is given relative to it, and Prometheus is shown the same
age at every moment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from zope_exporter.clients.http.result import REASONS
from zope_exporter.collectors import (
    actions,
    agent,
    backup,
    blobs,
    datafs,
    disks,
    filestorage,
    logs,
    ping,
    process,
    zeo,
)
from zope_exporter.collectors.agent import databases, instance
from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Service,
    Site,
    Storage,
    Target,
    ZeoServer,
)
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0

Key = tuple[Metric, tuple[str, ...]]
Values = Mapping[Key, float | None]

_DATA_FS = Path("/srv/intranet/var/Data.fs")
INVENTORY = Inventory(
    (
        Site(
            "intranet",
            (
                Service(
                    "zope",
                    "client1",
                    Path("/srv/intranet/etc/zope.conf"),
                    databases=(Database("main", "filestorage", data_fs=_DATA_FS, pool_size=12),),
                    threads=10,
                ),
            ),
            (Storage("main", _DATA_FS), Storage("archive", _DATA_FS.with_name("archive.fs"))),
            (Target("home", "https://example.org/"), Target("login", "https://example.org/login")),
            (ZeoServer("zeo", "127.0.0.1:8100", ("1",)),),
        ),
    )
)

ZOPE, MAIN, ARCHIVE = ("intranet", "client1"), ("intranet", "main"), ("intranet", "archive")
POOL, STORAGE = (*ZOPE, "main"), ("intranet", "zeo", "1")
HOME, LOGIN = ("intranet", "home"), ("intranet", "login")
OF_BACKUPS = backup.BackupCollector.metrics
LOG, DISK = ("intranet", "client1-event"), ("/srv",)


def _of_database(database: tuple[str, str]) -> dict[Key, float | None]:
    return {
        (filestorage.SIZE, database): 3e9,
        (filestorage.OLD_SIZE, database): 0,
        (filestorage.LAST_TRANSACTION, database): NOW - HOUR,
        (filestorage.LEFTOVER, database): 0,
        (filestorage.REPLACED, database): 0,
        (filestorage.AVAILABLE, database): 40e9,
        (filestorage.CAPACITY, database): 100e9,
        (blobs.PRESENT, database): 1,
        (datafs.GARBAGE, (*database, "superseded")): 0.3e9,
        (datafs.LAST_PACK, database): NOW - DAY,
        (backup.MAX_AGE, database): 26 * HOUR,
        (backup.AVAILABLE, database): 90e9,
        (backup.LAST_SUCCESS, database): NOW - 3 * HOUR,
        (backup.LAST_VERIFIED, database): NOW - 3 * HOUR,
        (backup.COVERED, database): NOW - 4 * HOUR,
        (backup.DATABASE_FAULTS, database): 0,
    }


def _of_target(target: tuple[str, str]) -> dict[Key, float | None]:
    return {
        (ping.UP, target): 1,
        (ping.STATUS_CODE, target): 200,
        (ping.DURATION, target): 0.0125,
        (ping.CERTIFICATE_EXPIRY, target): NOW + 60 * DAY,
        **{(ping.FAILURE, (*target, reason)): 0.0 for reason in REASONS},
    }


WELL: dict[Key, float | None] = {
    **_of_database(MAIN),
    **_of_database(ARCHIVE),
    (disks.AVAILABLE, DISK): 40e9,
    (disks.SIZE, DISK): 100e9,
    (disks.INODES_FREE, DISK): 400,
    (disks.INODES, DISK): 1000,
    (disks.HOLDS, (*DISK, "intranet", "database")): 1,
    **_of_target(HOME),
    **_of_target(LOGIN),
    (process.UP, ZOPE): 1,
    (process.START_TIME, ZOPE): NOW - 7 * DAY,
    (process.RESIDENT, ZOPE): 60e6,
    (process.MEMORY_LIMIT, ZOPE): 100e6,
    (agent.UP, ZOPE): 1,
    (instance.THREADS, ZOPE): 10,
    (instance.BUSY, ZOPE): 2,
    (databases.POOL_SIZE, POOL): 12,
    (databases.CONNECTIONS, (*POOL, "in_use")): 2,
    (databases.CONNECTIONS, (*POOL, "idle")): 8,
    (databases.LEAKED, POOL): 0,
    (databases.PACK_RUNNING, POOL): 0,
    (actions.RUNNING, (*MAIN, "pack")): 0,
    (actions.LAST_SUCCESS, (*MAIN, "pack")): NOW - DAY,
    (zeo.UP, STORAGE): 1,
    (zeo.CLIENTS, STORAGE): 2,
    (zeo.WAITING_COMMITS, STORAGE): 0,
    (logs.REOPEN_NEEDED, LOG): 0,
}


@dataclass(frozen=True)
class State:
    """What differs from a site that is well, and how bad the alert of that is: "" for not at all.

    With `own`, the threshold of that name is another one, and then it is as bad as `moved` says.
    """

    alert: str
    changes: Values
    severity: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    moved: str = ""

    def __str__(self) -> str:
        changed = ", ".join(f"{metric.name}{value}" for (metric, _), value in self.changes.items())
        return f"{self.alert} {' '.join(self.own)} {changed}"

    @property
    def values(self) -> dict[Key, float]:
        """All that is known then."""
        merged = {**WELL, **self.changes}
        return {key: value for key, value in merged.items() if value is not None}

    def scrape(self) -> Scrape:
        """Return what `check` sees."""
        return Scrape([Sample(*key, value) for key, value in self.values.items()], [])

    def series(self, step: int, steps: int) -> Iterator[dict[str, str]]:
        """Yield what Prometheus sees, one value every `step` seconds from 1970 on."""
        for (metric, labels), value in self.values.items():
            names = ("job", "instance", *metric.labels)
            known = zip(names, ("zope", "zope1:9673", *labels), strict=True)
            pairs = ", ".join(f'{name}="{label}"' for name, label in known)
            series = f"{metric.name}{{{pairs}}}"
            if metric.name.endswith("_timestamp_seconds"):
                values = f"{value - NOW:f}+{step}x{steps}"
            else:
                values = f"{value:f}x{steps}"
            yield {"series": series, "values": values}

    def as_moved(self) -> "State":
        """Return the same as it is judged by its own threshold."""
        return replace(self, severity=self.moved)


def _main(metric: Metric, value: float | None) -> dict[Key, float | None]:
    return {(metric, MAIN): value}


def _without_backups(but: Values = MappingProxyType({})) -> dict[Key, float | None]:
    return {**dict.fromkeys(key for key in WELL if key[0] in OF_BACKUPS), **but}


# Each threshold: a state it decides, and another number by which that is decided otherwise.
MOVING = (
    State("ZopeDiskAlmostFull", {(disks.AVAILABLE, DISK): 4e9}, "warning",
          {"disk_almost_full": "0.035"}),
    State("ZopeDiskAlmostFull", {(disks.AVAILABLE, DISK): 8e9}, "",
          {"disk_almost_full": "0.1"}, "warning"),
    State("ZopeDiskAlmostFull", {(disks.AVAILABLE, DISK): 4e9}, "warning",
          {"disk_almost_full_critical": "0.045"}, "critical"),
    State("ZopeDiskInodesLow", {(disks.INODES_FREE, DISK): 40}, "warning", {"inodes": "0.03"}),
    State("ZopeDiskInodesLow", {(disks.INODES_FREE, DISK): 20}, "warning",
          {"inodes_critical": "0.03"}, "critical"),
    State("ZopeBackupUnknown", _without_backups(), "warning", {"backup_missed": "1e10"}),
    State("ZopePackOverdue", _main(datafs.LAST_PACK, NOW - 9 * DAY), "warning",
          {"pack_overdue": "30d"}),
    State("ZopePackOverdue", _main(datafs.LAST_PACK, NOW - 9 * DAY), "warning",
          {"pack_worthwhile": "0.2"}),
    State("ZopePackOverdue", _main(datafs.LAST_PACK, None), "warning",
          {"pack_first_bytes": "1e10"}),
    State("ZopeGarbageHigh", {(datafs.GARBAGE, (*MAIN, "superseded")): 1.8e9}, "info",
          {"garbage": "0.7"}),
    State("ZopeGarbageHigh", {(datafs.GARBAGE, (*MAIN, "superseded")): 1.8e9}, "info",
          {"garbage_bytes": "5e9"}),
    State("ZopeBackupUnverified", _main(backup.LAST_VERIFIED, NOW - 9 * DAY), "warning",
          {"backup_unverified": "20d"}),
    State("ZopeBackupRoomLow", _main(backup.AVAILABLE, 2e9), "warning", {"backup_room": "0.5"}),
    State("ZopeCertificateExpiring", {(ping.CERTIFICATE_EXPIRY, HOME): NOW + 9 * DAY}, "warning",
          {"certificate": "8d"}),
    State("ZopeCertificateExpiring", {(ping.CERTIFICATE_EXPIRY, HOME): NOW + 12 * DAY}, "",
          {"certificate": "20d"}, "warning"),
    State("ZopeCertificateExpiring", {(ping.CERTIFICATE_EXPIRY, HOME): NOW + 2 * DAY}, "critical",
          {"certificate_critical": "1d"}, "warning"),
    State("ZopeWorkersSaturated", {(instance.BUSY, ZOPE): 9}, "warning",
          {"workers_busy": "0.95"}),
    State("ZopeMemoryNearLimit", {(process.RESIDENT, ZOPE): 95e6}, "warning", {"memory": "0.97"}),
    State("ZopeZeoCommitLockHeld", {(zeo.LOCK_ACQUIRED, STORAGE): NOW - 400}, "warning",
          {"commit_lock_held": "10m"}),
    State("ZopeZeoCommitLockHeld", {(zeo.LOCK_ACQUIRED, STORAGE): NOW - 40}, "",
          {"commit_lock_held": "30s"}, "warning"),
    State("ZopePingSlow", {(ping.DURATION, HOME): 3}, "warning", {"ping_slow": "5"}),
    State("ZopePoolExhausted", {(databases.CONNECTIONS, (*POOL, "in_use")): 25}, "critical",
          {"connections_critical": "3"}, "warning"),
)  # fmt: skip

# What no threshold decides, or the limit of which the exporter itself serves.
FIXED = (
    State("ZopeNoRoomForPack", _main(filestorage.SIZE, 50e9), "warning"),
    State("ZopeNoRoomForPack",
          {**_main(filestorage.SIZE, 50e9), **_main(filestorage.OLD_SIZE, 20e9)}),
    State("ZopePackOverdue", {**_main(datafs.LAST_PACK, None), **_main(filestorage.SIZE, 0.9e9)}),
    State("ZopeBackupOverdue",
          {**_main(backup.LAST_SUCCESS, NOW - 30 * HOUR), **_main(backup.COVERED, NOW - 31 * HOUR)},
          "critical"),
    State("ZopeBackupOverdue",  # nothing was committed since
          {**_main(backup.LAST_SUCCESS, NOW - 30 * DAY), **_main(backup.COVERED, NOW - HOUR)}),
    State("ZopeBackupOverdue",  # nothing to back up for days, then a commit
          {**_main(backup.LAST_SUCCESS, NOW - 9 * HOUR), **_main(backup.COVERED, NOW - 3 * DAY)}),
    State("ZopeBackupOverdue",  # a Data.fs that cannot be read
          {**_main(backup.LAST_SUCCESS, NOW - 30 * HOUR),
           **_main(filestorage.LAST_TRANSACTION, None)}, "critical"),
    State("ZopeBackupOverdue",
          {**_main(backup.LAST_SUCCESS, None), **_main(backup.COVERED, None),
           **_main(backup.LAST_VERIFIED, None)}, "critical"),
    State("ZopeBackupUnverified", _main(backup.LAST_VERIFIED, None), "warning"),
    State("ZopeBackupUnknown",
          dict.fromkeys([key for key in WELL if key[0] in OF_BACKUPS and key[1] == ARCHIVE]),
          "warning"),
    State("ZopeBackupUnknown",
          _without_backups({(backup.ELSEWHERE, MAIN): 1, (backup.ELSEWHERE, ARCHIVE): 1})),
    State("ZopeBlobDirectoryMissing", {(blobs.PRESENT, MAIN): 0}, "critical"),
    State("ZopeDatabaseReferencesBroken", _main(backup.DATABASE_FAULTS, 3), "warning"),
    State("ZopeActionFailed", {(actions.LAST_FAILURE, (*MAIN, "pack")): NOW - HOUR}, "warning"),
    State("ZopeActionFailed", {(actions.LAST_FAILURE, (*MAIN, "pack")): NOW - 2 * DAY}),
    State("ZopeActionFailed", {(actions.LAST_FAILURE, (*MAIN, "verify")): NOW - DAY}, "warning"),
    State("ZopePackLeftover", _main(filestorage.LEFTOVER, 5e6), "warning"),
    State("ZopeDataFileReplaced", _main(filestorage.REPLACED, 1), "critical"),
    State("ZopeWorkersSaturated", {(instance.BUSY, ZOPE): 10}, "critical"),
    State("ZopeWorkersSaturated", {(instance.BUSY, ZOPE): 7}),
    State("ZopePingSlow", {(ping.DURATION, HOME): 3, (databases.PACK_RUNNING, POOL): 1}),
    State("ZopePingSlow", {(ping.DURATION, HOME): 3, (actions.RUNNING, (*MAIN, "pack")): 1}),
    State("ZopePoolExhausted", {(databases.CONNECTIONS, (*POOL, "in_use")): 13}, "warning"),
    State("ZopePoolExhausted", {(databases.CONNECTIONS, (*POOL, "in_use")): 12}),
    State("ZopeConnectionsLeaked", {(databases.LEAKED, POOL): 2}, "warning"),
    State("ZopePoolSmallerThanThreads", {(databases.POOL_SIZE, POOL): 9}, "warning"),
    State("ZopeCertificateExpiring", {(ping.CERTIFICATE_EXPIRY, HOME): NOW - HOUR}, "critical"),
    State("ZopeZeoServerDown", {(zeo.UP, STORAGE): 0}, "critical"),
    State("ZopeLogReopenNeeded", {(logs.REOPEN_NEEDED, LOG): 1}, "warning"),
    State("ZopeSiteDown", {(ping.UP, HOME): 0, (ping.UP, LOGIN): 0,
                           (ping.FAILURE, (*HOME, "timeout")): 1,
                           (ping.FAILURE, (*LOGIN, "timeout")): 1}, "critical"),
    State("ZopePingWrongContent",
          {(ping.UP, HOME): 0, (ping.FAILURE, (*HOME, "content")): 1}, "critical"),
)  # fmt: skip

# Where `check`, which has one thing before it, is sterner than the alert, which knows the others.
STERNER = (
    State("ZopeProcessDown", {(process.UP, ZOPE): 0}, "warning"),
    State("ZopeTargetDown", {(ping.UP, HOME): 0, (ping.FAILURE, (*HOME, "timeout")): 1}, "warning"),
)
