"""The file systems that hold a database, its blobs, logs or backups: their room and their inodes.

Each is told once, whatever lies on it: a disk that several sites share is one disk that fills up.
"""

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.system.foreign_root import real_path, root_of

if TYPE_CHECKING:
    from zope_exporter.maintenance.actions.databases import BackupPlan

# As node_exporter names it, so that both can be joined.
LABELS = ("mountpoint",)

AVAILABLE = Metric(
    "zope_disk_avail_bytes",
    "gauge",
    "Room left to users other than root on a file system that holds something of a site, once for"
    " each.",
    LABELS,
)
SIZE = Metric(
    "zope_disk_size_bytes",
    "gauge",
    "Size of a file system that holds something of a site.",
    LABELS,
)
INODES_FREE = Metric(
    "zope_disk_inodes_free",
    "gauge",
    "Inodes left to users other than root, one for each file that can still be made; absent where"
    " the file system has no fixed number of them.",
    LABELS,
)
INODES = Metric(
    "zope_disk_inodes",
    "gauge",
    "Inodes of a file system that holds something of a site; absent where it has no fixed number"
    " of them.",
    LABELS,
)
HOLDS = Metric(
    "zope_disk_holds_info",
    "info",
    "Always 1: what of which site is on a file system, by `holds`: database, blobs, logs or"
    " backups.",
    (*LABELS, "site", "holds"),
)

# Whose path leads to nothing is told by the collector of that thing.
TOLD_BY_OTHERS = (FileNotFoundError, NotADirectoryError, PermissionError)


class Place(NamedTuple):
    """A directory that holds something of a site."""

    site: str
    holds: str
    directory: Path


class DisksCollector:
    """Asks the operating system about the file system of each place."""

    name = "disks"
    metrics = (AVAILABLE, SIZE, INODES_FREE, INODES, HOLDS)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        logs: Callable[[], Iterable[LogSource]],
        plans: "Callable[[], Iterable[BackupPlan]]",
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._inventory = inventory
        self._logs = logs
        self._plans = plans
        self._statvfs = statvfs
        self._lock = threading.Lock()
        self._devices: dict[Place, int] = {}
        self._speakers: dict[Hashable, Place] = {}
        self._mountpoints: dict[int, str] = {}

    def parts(self) -> Iterable[Part]:
        places = dict.fromkeys(self._places())
        with self._lock:
            self._devices = {place: d for place, d in self._devices.items() if place in places}
            self._forget(lambda speaker: speaker not in places)
        return [
            Part((place.site, place.holds, str(place.directory)), partial(self._collect, place))
            for place in places
        ]

    def _places(self) -> Iterator[Place]:
        for site, storage in self._inventory().storages():
            yield Place(site, "database", storage.data_fs.parent)
            if storage.blob_dir is not None:
                yield Place(site, "blobs", storage.blob_dir)
        for log in self._logs():
            yield Place(log.site, "logs", log.path.parent)
        for plan in self._plans():
            yield Place(plan.site, "backups", plan.root)

    def _collect(self, place: Place) -> Iterator[Sample]:
        with suppress(*TOLD_BY_OTHERS):
            directory = Path(real_path(place.directory))
            device = directory.stat().st_dev
            disk = self._mountpoint(place, directory, device)
            if self._speaks(place, (device, place.site, place.holds)):
                yield HOLDS(mountpoint=disk, site=place.site, holds=place.holds)
            if self._speaks(place, device):
                yield from _room(self._statvfs(directory), disk)
            return
        with self._lock:
            self._forget(lambda speaker: speaker == place)

    def _speaks(self, place: Place, of: Hashable) -> bool:
        """Whether this is the place to tell of it: the first that was there, until it is gone.

        All are looked at at once, and one that hangs keeps no other from telling.
        """
        with self._lock:
            return self._speakers.setdefault(of, place) == place

    def _forget(self, who: Callable[[Place], bool]) -> None:
        self._speakers = {of: each for of, each in self._speakers.items() if not who(each)}
        known = self._mountpoints.items()
        self._mountpoints = {device: top for device, top in known if device in self._speakers}

    def _mountpoint(self, place: Place, directory: Path, device: int) -> str:
        """The name of a file system: where it is mounted for whoever uses it, no two alike."""
        with self._lock:
            if self._devices.setdefault(place, device) != device:  # mounted since the last look
                self._devices[place] = device
                self._forget(lambda speaker: speaker == place)
            known = self._mountpoints.get(device)
        if known is not None:
            return known
        top = _top_of(directory, device)  # what hangs there keeps nobody else from the lock
        with self._lock:
            names = self._mountpoints
            if device not in names:
                taken = top in names.values()  # in another container
                number = f" ({os.major(device)}:{os.minor(device)})"
                names[device] = top + number * taken
            return names[device]


def _top_of(directory: Path, device: int) -> str:
    root = root_of(directory) or Path("/")
    top = directory
    while top != root and top.parent.stat().st_dev == device:
        top = top.parent
    return str(Path("/", top.relative_to(root)))


def _room(found: os.statvfs_result, disk: str) -> Iterator[Sample]:
    if found.f_blocks:
        yield AVAILABLE(found.f_bavail * found.f_frsize, mountpoint=disk)
        yield SIZE(found.f_blocks * found.f_frsize, mountpoint=disk)
    if found.f_files:
        yield INODES_FREE(found.f_favail, mountpoint=disk)
        yield INODES(found.f_files, mountpoint=disk)
