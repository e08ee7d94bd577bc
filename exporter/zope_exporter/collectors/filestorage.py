"""Each Data.fs from outside: sizes, last transaction, room on the disk, and who writes where."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.filestorage import datafile
from zope_exporter.storage.filestorage.datafile import (
    DataFileMissingError,
    FileStorageError,
    OwnerHiddenError,
    TornTailError,
    files_beside,
    leftover_bytes,
)
from zope_exporter.storage.filestorage.format import Transaction, time_of
from zope_exporter.storage.filestorage.open_files import open_files, writes_elsewhere
from zope_exporter.storage.filestorage.tail import read_tail
from zope_exporter.system.open_files import Identity, OpenFile

Found = TypeVar("Found")

LABELS = ("site", "database")

SIZE = Metric("zope_filestorage_size_bytes", "gauge", "Size of the Data.fs.", LABELS)
OLD_SIZE = Metric(
    "zope_filestorage_old_size_bytes",
    "gauge",
    "Size of Data.fs.old, the copy from before the last pack, which the next pack deletes "
    "first; 0 if there is none.",
    LABELS,
)
LEFTOVER = Metric(
    "zope_filestorage_leftover_bytes",
    "gauge",
    "Size of the files beside the Data.fs that nothing uses any more: the Data.fs.pack and "
    "index files of aborted work, and transactions that a start cut off into Data.fs.tr0 "
    "and so on.",
    LABELS,
)
LAST_TRANSACTION = Metric(
    "zope_filestorage_last_transaction_timestamp_seconds",
    "gauge",
    "Time of the last committed transaction in the Data.fs, in seconds since the epoch; absent"
    " while it holds none.",
    LABELS,
)
REPLACED = Metric(
    "zope_filestorage_replaced",
    "gauge",
    "Whether a running Zope or ZEO server still writes to a file that is not the Data.fs "
    "any more (1), so that its commits are lost when it ends: copy /proc/PID/fd/N before "
    "stopping it.",
    LABELS,
)
AVAILABLE = Metric(
    "zope_filesystem_avail_bytes",
    "gauge",
    "Free space for users other than root on the file system of the Data.fs.",
    LABELS,
)
CAPACITY = Metric(
    "zope_filesystem_size_bytes",
    "gauge",
    "Size of the file system that holds the Data.fs.",
    LABELS,
)

# A pack leaves the path without a file for up to 8 ms.
ATTEMPTS = 20
PAUSE_SECONDS = 0.005
# With one, a test that packs without a pause failed about once in forty runs.
FURTHER_LOOKS = 3
FURTHER_LOOK_SECONDS = 0.1

# No commit takes this long between two writes; what is torn for longer was cut off.
TORN_SECONDS = 60.0


def settled(read: Callable[[], Found], pause: Callable[[float], object]) -> Found:
    """Return what `read` gives once no pack or commit is in its way; raise its last error."""
    for _ in range(ATTEMPTS - 1):
        with suppress(DataFileMissingError, TornTailError):
            return read()
        pause(PAUSE_SECONDS)
    return read()


class FileStorageCollector:
    """Reads a few bytes at the end of each Data.fs and what the operating system knows of it."""

    name = "filestorage"
    metrics = (SIZE, OLD_SIZE, LEFTOVER, LAST_TRANSACTION, REPLACED, AVAILABLE, CAPACITY)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        proc: Path = Path("/proc"),
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._inventory = inventory
        self._proc = proc
        self._clock = clock
        self._pause = pause or threading.Event().wait
        self._known: dict[Path, Transaction] = {}

    def parts(self) -> Iterable[Part]:
        storages = list(self._inventory().storages())
        for gone in {*list(self._known)} - {storage.data_fs for _, storage in storages}:
            self._known.pop(gone, None)
        return [
            Part(
                (site, storage.database),
                partial(self._collect, storage, {"site": site, "database": storage.database}),
            )
            for site, storage in storages
        ]

    def _collect(self, storage: Storage, labels: dict[str, str]) -> Iterator[Sample]:
        room = datafile.room(storage.data_fs)
        yield AVAILABLE(room.f_bavail * room.f_frsize, **labels)
        yield CAPACITY(room.f_blocks * room.f_frsize, **labels)
        yield SIZE(self._status(storage).st_size, **labels)
        problems: list[FileStorageError] = []
        for read in (self._last_transaction, self._beside, self._replaced):
            try:
                yield from read(storage, labels)
            except FileStorageError as problem:  # noqa: PERF203 - three rounds
                problems.append(problem)
        if problems:
            raise FileStorageError("; ".join(map(str, problems))) from problems[0]

    def _last_transaction(self, storage: Storage, labels: dict[str, str]) -> Iterator[Sample]:
        path = storage.data_fs
        tail = settled(lambda: read_tail(path, self._known.get(path)), self._pause)
        if tail.last is not None:
            self._known[path] = tail.last
            yield LAST_TRANSACTION(time_of(tail.last.tid.to_bytes(8, "big")), **labels)
        if tail.torn is not None and self._clock() - tail.torn.modified > TORN_SECONDS:
            raise tail.torn

    def _beside(self, storage: Storage, labels: dict[str, str]) -> Iterator[Sample]:
        beside = files_beside(storage.data_fs)
        yield OLD_SIZE(beside[".old"].st_size if ".old" in beside else 0, **labels)
        yield LEFTOVER(leftover_bytes(beside, lambda: self._held(storage), self._clock()), **labels)

    def _held(self, storage: Storage) -> Collection[Identity] | None:
        try:
            owners = self._open_files(storage)
        except OwnerHiddenError:
            return None
        return {file.identity for files in owners for file in files} if owners else None

    def _replaced(self, storage: Storage, labels: dict[str, str]) -> Iterator[Sample]:
        replaced = self._written_elsewhere(storage)
        for _ in range(FURTHER_LOOKS):
            if not replaced:
                break
            self._pause(FURTHER_LOOK_SECONDS)  # the middle of a pack looks the same
            replaced = self._written_elsewhere(storage)
        yield REPLACED(replaced, **labels)

    def _written_elsewhere(self, storage: Storage) -> bool:
        owners = self._open_files(storage)
        found = self._status(storage)
        return any(writes_elsewhere(files, (found.st_dev, found.st_ino)) for files in owners)

    def _open_files(self, storage: Storage) -> list[list[OpenFile]]:
        return [open_files(owner.pid, storage.data_fs, self._proc) for owner in storage.owners]

    def _status(self, storage: Storage) -> os.stat_result:
        return settled(lambda: datafile.status(storage.data_fs), self._pause)
