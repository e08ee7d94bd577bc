"""The blob directories of the storages served on this host, from walks in the background."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.blobs.directory import is_present, look
from zope_exporter.storage.blobs.scan import BlobScanner

LABELS = ("site", "database")

PRESENT = Metric(
    "zope_blob_directory_present",
    "gauge",
    "Whether the blob directory is there (1), or missing or empty, as where its file system is not"
    " mounted (0); also those that running clients on this host share or use as caches; absent"
    " where that cannot be seen.",
    LABELS,
)
SIZE = Metric(
    "zope_blob_size_bytes",
    "gauge",
    "Size of all committed blobs, found by a walk in the background that takes at most 5 % of a"
    " core; absent until the first walk is complete.",
    LABELS,
)
FILES = Metric(
    "zope_blob_files",
    "gauge",
    "Number of committed blob files, one for each revision of each blob.",
    LABELS,
)
OLD_SIZE = Metric(
    "zope_blob_old_size_bytes",
    "gauge",
    "Size of the blobs that are only in the directory named as the blob directory with "
    ".old: what the last pack removed, and the next one deletes first.",
    LABELS,
)
LEFTOVER = Metric(
    "zope_blob_leftover_bytes",
    "gauge",
    "Size of files that nothing uses any more: of kind `abandoned`, files of uploads and "
    "commits that were aborted more than a day ago; of kind `undeleted`, blobs that an "
    "aborted pack took out of the database but did not remove, known until the next pack "
    "writes a new list, and unknown afterwards.",
    (*LABELS, "kind"),
)
SCANNED = Metric(
    "zope_blob_scan_timestamp_seconds",
    "gauge",
    "When the last complete walk of the blob directory ended, in seconds since the epoch.",
    LABELS,
)
SEEN = Metric(
    "zope_blob_scan_files",
    "gauge",
    "Files the walk in progress has seen so far; 0 between two walks.",
    LABELS,
)


@dataclass
class _Blobs:
    """The blob directories of one database; with a storage, its own is the first."""

    site: str
    database: str
    storage: Storage | None = None
    directories: dict[Path, None] = field(default_factory=dict)

    @property
    def source(self) -> tuple[str, str]:
        return self.site, self.database

    @property
    def labels(self) -> dict[str, str]:
        return {"site": self.site, "database": self.database}

    @property
    def own(self) -> Path | None:
        """The directory of the database itself, None where only clients of it are here."""
        return self.storage.blob_dir if self.storage else None

    def presence(self) -> Iterator[Sample]:
        known = [is_present(directory) for directory in self.directories]
        if None not in known:
            yield PRESENT(all(known), **self.labels)


def _all_blobs(inventory: Inventory) -> list[_Blobs]:
    found: dict[tuple[str, str], _Blobs] = {}
    for site, storage in inventory.storages():
        if storage.blob_dir is not None:
            blobs = _Blobs(site, storage.database, storage, {storage.blob_dir: None})
            found[blobs.source] = blobs
    for site, service in inventory.zopes():
        # What is only a cache is made when the client starts.
        for database in service.databases if service.process else ():
            if database.blob_dir is not None and database.kind in ("zeo", "relstorage"):
                blobs = found.setdefault((site, database.name), _Blobs(site, database.name))
                blobs.directories[database.blob_dir] = None
    return list(found.values())


class BlobCollector:
    """Starts a walk for each blob directory the inventory has and ends it when it is gone."""

    name = "blobs"
    metrics = (PRESENT, SIZE, FILES, OLD_SIZE, LEFTOVER, SCANNED, SEEN)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        scanner: Callable[[Path, Path], BlobScanner] = BlobScanner,
    ) -> None:
        self._inventory = inventory
        self._scanner = scanner
        self._lock = threading.Lock()
        self._stopped = False
        self._scanners: dict[tuple[Path, Path], BlobScanner] = {}

    def parts(self) -> Iterable[Part]:
        found = _all_blobs(self._inventory())
        walked = {each.source: key for each in found if (key := _walked(each)) is not None}
        with self._lock:
            if self._stopped:  # by the end of the exporter, which a scrape may outlast
                return []
            self._keep({*walked.values()})
            scanners = {source: self._scanners[key] for source, key in walked.items()}
        return [
            Part(each.source, partial(_collect, each, scanners.get(each.source))) for each in found
        ]

    def stop(self) -> None:
        """End all walks, for good."""
        with self._lock:
            self._stopped = True
            self._keep(set())

    def _keep(self, wanted: set[tuple[Path, Path]]) -> None:
        for gone in self._scanners.keys() - wanted:
            self._scanners.pop(gone).stop(timeout=0)
        for new in wanted - self._scanners.keys():
            self._scanners[new] = self._scanner(*new)


def _walked(blobs: _Blobs) -> tuple[Path, Path] | None:
    """Which directory to walk, and the Data.fs it belongs to; a cache is not."""
    storage = blobs.storage
    if storage is None or storage.blob_dir is None:
        return None
    return storage.blob_dir, storage.data_fs


class BlobLook:
    """Only whether each blob directory can be read, for one look that has no time for a walk."""

    name = "blobs"
    metrics = (PRESENT, SEEN)

    def __init__(self, inventory: Callable[[], Inventory]) -> None:
        self._inventory = inventory

    def parts(self) -> Iterable[Part]:
        return [Part(each.source, partial(_look, each)) for each in _all_blobs(self._inventory())]


def _look(blobs: _Blobs) -> Iterator[Sample]:
    yield from blobs.presence()
    if blobs.own is not None:
        yield SEEN(0, **blobs.labels)
        look(blobs.own)


def _collect(blobs: _Blobs, scanner: BlobScanner | None) -> Iterator[Sample]:
    labels = blobs.labels
    yield from blobs.presence()
    if scanner is None:
        return
    yield SEEN(scanner.seen, **labels)
    if scanner.scan is not None:
        usage = scanner.scan.usage
        yield SIZE(usage.size, **labels)
        yield FILES(usage.files, **labels)
        yield OLD_SIZE(usage.old_size, **labels)
        yield LEFTOVER(usage.abandoned, kind="abandoned", **labels)
        yield LEFTOVER(usage.undeleted, kind="undeleted", **labels)
        yield SCANNED(scanner.scan.ended, **labels)
    problem = scanner.problem  # once: the walk may end well between two looks
    if problem is not None:
        raise problem
    if blobs.own is not None:
        look(blobs.own)  # between two walks it may be gone for hours
