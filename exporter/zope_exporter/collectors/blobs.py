"""The blob directories of the storages served on this host, from walks in the background."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.blobs.directory import look
from zope_exporter.storage.blobs.scan import BlobScanner

LABELS = ("site", "database")

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


class BlobCollector:
    """Starts a walk for each blob directory the inventory has and ends it when it is gone."""

    name = "blobs"
    metrics = (SIZE, FILES, OLD_SIZE, LEFTOVER, SCANNED, SEEN)

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
        found = [
            (site, storage, storage.blob_dir)
            for site, storage in self._inventory().storages()
            if storage.blob_dir is not None
        ]
        with self._lock:
            if self._stopped:  # by the end of the exporter, which a scrape may outlast
                return []
            self._keep({(blob_dir, storage.data_fs) for _, storage, blob_dir in found})
            return [
                _part(site, storage, blob_dir, self._scanners[blob_dir, storage.data_fs])
                for site, storage, blob_dir in found
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


class BlobLook:
    """Only whether each blob directory can be read, for one look that has no time for a walk."""

    name = "blobs"
    metrics = (SEEN,)

    def __init__(self, inventory: Callable[[], Inventory]) -> None:
        self._inventory = inventory

    def parts(self) -> Iterable[Part]:
        for site, storage in self._inventory().storages():
            if storage.blob_dir is not None:
                labels = {"site": site, "database": storage.database}
                source = (site, storage.database)
                yield Part(source, partial(_look, storage.blob_dir, labels))


def _look(blob_dir: Path, labels: dict[str, str]) -> Iterator[Sample]:
    yield SEEN(0, **labels)
    look(blob_dir)


def _part(site: str, storage: Storage, blob_dir: Path, scanner: BlobScanner) -> Part:
    labels = {"site": site, "database": storage.database}
    return Part((site, storage.database), partial(_collect, blob_dir, scanner, labels))


def _collect(blob_dir: Path, scanner: BlobScanner, labels: dict[str, str]) -> Iterator[Sample]:
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
    look(blob_dir)  # between two walks it may be gone for hours
