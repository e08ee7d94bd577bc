"""What each Data.fs holds and what a pack would free, counted by our own reader."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.followed_sites import PloneSites
from zope_exporter.storage.filestorage.format import time_of
from zope_exporter.storage.filestorage.rescan import Background, Rescan
from zope_exporter.storage.filestorage.scan_memory import ScanMemory
from zope_exporter.storage.filestorage.state import (
    DIRECTORY,
    Findings,
    Known,
    Store,
    forget_gone,
)
from zope_exporter.system.open_files import Identity
from zope_exporter.system.state import StateError

from .filestorage import settled

LABELS = ("site", "database")

OBJECTS = Metric(
    "zope_filestorage_objects",
    "gauge",
    "Objects in the Data.fs as ZODB counts them, deleted ones included until the next pack; absent"
    " until the first scan has counted them.",
    LABELS,
)
TRANSACTIONS = Metric(
    "zope_filestorage_transactions_total",
    "counter",
    "Transactions the Data.fs held when it was first seen, and those committed since; no pack takes"
    " any away.",
    LABELS,
)
GARBAGE = Metric(
    "zope_filestorage_garbage_bytes",
    "gauge",
    "What a pack of the Data.fs would free: superseded revisions, counted at every scrape, and"
    " objects that nothing refers to, as of the last background scan; absent where that cannot be"
    " known: the last transaction is of the future, references lead nowhere, or records cannot be"
    " read.",
    (*LABELS, "kind"),
)
LAST_PACK = Metric(
    "zope_filestorage_last_pack_timestamp_seconds",
    "gauge",
    "Time of the last pack, in seconds since the epoch: that of its Data.fs.old, or, if "
    "that is not kept, of the last transaction that was packed; absent if the Data.fs was "
    "never packed.",
    LABELS,
)
CLASS_BYTES = Metric(
    "zope_filestorage_class_bytes",
    "gauge",
    "Data of the current records of the 20 classes with the most, and of all others, as of the last"
    " background scan.",
    (*LABELS, "class"),
)
GONE_SECONDS = 30 * 86400.0
# Clocks of two hosts differ a little; a pack leaves alone what is later than its own.
FUTURE_SECONDS = 60.0

SCAN_PROGRESS = Metric(
    "zope_filestorage_scan_progress_ratio",
    "gauge",
    "How much of the background scan under way is done, from 0 to 1; 1 when none is.",
    LABELS,
)
SCAN_TIME = Metric(
    "zope_filestorage_scan_timestamp_seconds",
    "gauge",
    "Time the last complete background scan began, in seconds since the epoch; absent before the"
    " first one and after a pack.",
    LABELS,
)


class DataFsCollector:
    """Counts new commits at each scrape, and scans from `start` to `stop`.

    `state` is the state file, None to keep nothing. The scans take up to `memory` bytes, and have
    what is beyond that in files beside the state file.
    """

    name = "datafs"
    metrics = (
        OBJECTS,
        TRANSACTIONS,
        GARBAGE,
        LAST_PACK,
        CLASS_BYTES,
        SCAN_PROGRESS,
        SCAN_TIME,
    )

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        state: Path | None = None,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
        memory: int | None = None,
    ) -> None:
        self._inventory = inventory
        self._state = state
        self._clock = clock
        self._memory = ScanMemory(memory, state.parent / DIRECTORY if state else None)
        self._pause = pause or threading.Event().wait
        self._background = Background(self._rescan)
        self._followed: frozenset[Path] = frozenset()
        self._plone_sites: dict[tuple[str, str], PloneSites] = {}

    def start(self) -> None:
        """Begin to scan in the background."""
        self._background.start()

    def stop(self) -> None:
        """End the scans in the background; they go on from there with the next run."""
        self._background.stop()

    def plone_sites(self) -> Mapping[tuple[str, str], PloneSites]:
        """Return the Plone sites of each Data.fs that was read last, by site and database."""
        return dict(self._plone_sites)

    def parts(self) -> Iterable[Part]:
        storages = list(self._inventory().storages())
        known = {(site, storage.database) for site, storage in storages}
        for gone in self._plone_sites.keys() - known:
            self._plone_sites.pop(gone, None)
        rescans = self._background.keep([storage.data_fs for _, storage in storages])
        self._forget(frozenset(rescans))
        return [
            Part(
                (site, storage.database),
                partial(
                    self._collect,
                    rescans[storage.data_fs],
                    storage,
                    {"site": site, "database": storage.database},
                ),
            )
            for site, storage in storages
        ]

    def _forget(self, paths: frozenset[Path]) -> None:
        """Keep nothing of what is gone for long; before the first search all would be."""
        if self._state is None or not paths or paths == self._followed:
            return
        self._followed = paths
        with suppress(StateError):  # which is said of what is kept at each scrape
            forget_gone(self._state, paths, self._clock() - GONE_SECONDS)

    def _rescan(self, path: Path) -> Rescan:
        store = Store(self._state, path) if self._state else None
        return Rescan(Followed(path, store), memory=self._memory)

    def _collect(
        self, rescan: Rescan, storage: Storage, labels: dict[str, str]
    ) -> Iterator[Sample]:
        key = labels["site"], labels["database"]
        followed = rescan.followed
        try:
            known, problems = settled(followed.look, self._pause)
        except Exception:
            self._plone_sites.pop(key, None)
            raise
        yield SCAN_PROGRESS(rescan.progress, **labels)
        yield from _known(known, storage, labels, self._clock())
        if known.sites is None:
            self._plone_sites.pop(key, None)
        else:
            self._plone_sites[key] = known.sites.versions
        problem = rescan.problem
        problems += [problem] if problem else []
        if problems:
            raise FileStorageError("; ".join(dict.fromkeys(map(str, problems)))) from problems[0]


class KeptDataFsCollector:
    """Tells what an exporter that serves has found of each Data.fs, from its state file alone."""

    name = "datafs"
    metrics = DataFsCollector.metrics

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        state: Path | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inventory = inventory
        self._state = state
        self._clock = clock
        self._plone_sites: dict[tuple[str, str], PloneSites] = {}

    def plone_sites(self) -> Mapping[tuple[str, str], PloneSites]:
        """Return the Plone sites of each Data.fs, by site and database."""
        return self._plone_sites

    def collect(self) -> Iterator[Sample]:
        if self._state is None:
            return
        for site, storage in self._inventory().storages():
            known = Store(self._state, storage.data_fs).load()
            if known.identity == _identity(storage.data_fs):  # else it was packed since
                labels = {"site": site, "database": storage.database}
                yield from _known(known, storage, labels, self._clock())
                if known.sites is not None:
                    self._plone_sites[site, storage.database] = known.sites.versions


def _known(known: Known, storage: Storage, labels: dict[str, str], now: float) -> Iterator[Sample]:
    if known.counted is not None:
        yield TRANSACTIONS(known.counted.transactions, **labels)
    totals, findings = known.totals, known.findings
    if totals is not None:
        yield OBJECTS(totals.objects, **labels)
        yield from _last_pack(storage.data_fs, totals.packed, labels)
    if findings is not None:
        yield from _found(findings, labels)
    if totals is not None and not is_future(time_of(totals.tid.to_bytes(8, "big")), now):
        yield GARBAGE(totals.superseded, kind="superseded", **labels)
        unreachable = findings.unreachable if findings else None
        # Of a demo storage's changes no pack collects garbage: its base may refer to them.
        if unreachable is not None and not storage.over_base:
            yield GARBAGE(unreachable, kind="unreachable", **labels)


def is_future(last_transaction: float, now: float) -> bool:
    """Tell whether a transaction is later than a pack at this moment goes up to."""
    return last_transaction > now + FUTURE_SECONDS


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _last_pack(path: Path, packed: int, labels: dict[str, str]) -> Iterator[Sample]:
    if packed:
        earliest = time_of(packed.to_bytes(8, "big"))
        try:
            # The pack renamed it last of all, which its own modification time does not show.
            renamed = path.with_name(path.name + ".old").stat().st_ctime
        except OSError:
            renamed = earliest
        yield LAST_PACK(max(earliest, renamed), **labels)


def _found(findings: Findings, labels: dict[str, str]) -> Iterator[Sample]:
    yield SCAN_TIME(findings.scanned, **labels)
    for name, size in findings.classes.items():
        yield CLASS_BYTES(size, **labels, **{"class": name})
