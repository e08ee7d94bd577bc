"""The scans of each Data.fs: at first sight, after each pack, and once a day, in one thread."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zope_exporter.system.parts_file import Part
from zope_exporter.system.periodic import Periodic, read_when_idle
from zope_exporter.system.state import StateError

from .datafile import DataFileMissingError, FileStorageError, opened
from .follow import Followed
from .reader import DataFile
from .scan_memory import ScanMemory

if TYPE_CHECKING:
    from .scan import Scan

RESCAN_SECONDS = 24 * 3600.0
SAVE_SECONDS = 300.0
RETRY_SECONDS = 300.0
MISSING_SECONDS = 1.0
SLICE_SECONDS = 0.01
PAUSES_A_SLICE = 3.0
IDLE_SECONDS = 1.0
SCANS_AT_ONCE = 4  # each has windows of some megabytes


class Rescan:
    """Scans in steps of some milliseconds; `problem` is why the last scan came to no end."""

    def __init__(
        self,
        followed: Followed,
        clock: Callable[[], float] = time.time,
        memory: ScanMemory | None = None,
    ) -> None:
        self.followed = followed
        self._memory = memory or ScanMemory()
        self.problem: Exception | None = None
        self._clock = clock
        self._scan: Scan | None = None
        self._steps: Iterator[None] | None = None
        self._failures = 0
        self._not_before = 0.0

    @property
    def progress(self) -> float:
        """How far the scan under way has come, from 0 to 1; 1 while none is."""
        scan = self._scan
        if scan is not None:
            return scan.progress
        return 1.0 if self.followed.known.findings else 0.0

    @property
    def is_under_way(self) -> bool:
        return self._steps is not None

    def step(self) -> bool:
        """Do a step; False if nothing is to be done now. Only for one thread."""
        try:
            if self._steps is None:
                if not self._due():
                    return False
                self._steps = self._all_steps()
            next(self._steps)
        except StopIteration:
            self._steps = self._scan = None
        except Exception as error:  # the thread must live on; the collector raises this
            self._give_up(error)
        return True

    def keep(self) -> None:
        """Save how far the scan under way has come."""
        if self._scan is not None:
            self._save(self._scan.parts())

    def _due(self) -> bool:
        if self.followed.behind:
            return True
        known, now = self.followed.known, self._clock()
        if now < self._not_before:
            return False
        findings = known.findings
        return known.totals is None or not findings or now - findings.scanned >= RESCAN_SECONDS

    def _all_steps(self) -> Iterator[None]:
        # numpy costs more memory than all else here, and most of the time nothing is scanned.
        from .followed_sites import scanned_sites
        from .page_cache import PageCache
        from .scan import Scan, restored

        self.followed.look()
        if self.followed.behind:
            return
        with opened(self.followed.path) as descriptor, PageCache(descriptor) as cache:
            file = DataFile(self.followed.path, descriptor, cache=cache)
            found = os.fstat(descriptor)
            identity = found.st_dev, found.st_ino
            store = self.followed.store
            kept = {}
            with suppress(StateError):  # which every look says, too
                kept = store.load_scan(self._memory.room) if store else {}
            scan = restored(kept, file, identity, self._memory)
            self._scan = scan = scan or Scan(identity, found.st_size, self._memory)
            begun = saved = self._clock()
            adopted = False
            for _ in scan.steps(file):
                if self.followed.known.identity != identity:
                    return
                if scan.contents is not None and not adopted:
                    sites = scanned_sites(file, scan.full_count.columns)
                    self.followed.adopt(identity, scan.full_count.totals(), sites)
                    adopted = True
                if self._clock() - saved >= SAVE_SECONDS:
                    self.keep()
                    saved = self._clock()
                yield
        if scan.contents is not None:
            self.followed.found(identity, scan.contents.findings(begun))
        self.problem, self._failures = None, 0
        self._scan = None
        self._save({})

    def _save(self, parts: Mapping[str, Part]) -> None:
        with suppress(StateError):
            if self.followed.store:
                self.followed.store.save_scan(parts)

    def _give_up(self, error: Exception) -> None:
        """Try again, at once after a first failure: it may have been a pack, or a commit undone."""
        self._steps = self._scan = None
        if isinstance(error, DataFileMissingError):  # which every look says, too
            self._not_before = self._clock() + MISSING_SECONDS
            return
        if not isinstance(error, FileStorageError | OSError | MemoryError):
            # Not the file then, perhaps the state that was taken up: the next try begins anew.
            self._save({})
        self._failures += 1
        if self._failures > 1:
            self.problem = error
            self._not_before = self._clock() + RETRY_SECONDS


class Background:
    """Owns the scans, and steps through those that are due, from `start` to `stop`.

    Scrapes only say which files there are. No scan is ever stepped but by this one thread, which
    takes a quarter of the time of one processor at most: a generator that two threads step raises
    ValueError, and its scan would be lost. No lock is held while a scan reads, so that scrapes wait
    for no slice to end.
    """

    def __init__(self, make: Callable[[Path], Rescan]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._rescans: Mapping[Path, Rescan] = {}
        self._slices = Periodic("scan Data.fs", self._slice, IDLE_SECONDS, self._save)
        self._reads_when_idle = False

    def start(self) -> None:
        """Begin to scan. Raises RuntimeError the second time."""
        self._slices.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the scans; how far they have come is saved."""
        self._slices.stop(timeout)

    def keep(self, paths: Iterable[Path]) -> Mapping[Path, Rescan]:
        """Scan these files, and no others, from now on; return the scan of each."""
        with self._lock:
            known = self._rescans
            self._rescans = {path: known.get(path) or self._make(path) for path in paths}
            if self._rescans.keys() - known.keys():
                self._slices.wake()
            return self._rescans

    def _slice(self) -> float:
        if not self._reads_when_idle:
            read_when_idle()
            self._reads_when_idle = True
        begun, busy, under_way = time.monotonic(), False, 0
        for rescan in sorted(self._rescans.values(), key=lambda each: not each.is_under_way):
            if under_way < SCANS_AT_ONCE:
                busy |= self._work(rescan)
                under_way += rescan.is_under_way
        return (time.monotonic() - begun) * PAUSES_A_SLICE if busy else IDLE_SECONDS

    def _save(self) -> None:
        for rescan in self._rescans.values():
            rescan.keep()

    def _work(self, rescan: Rescan) -> bool:
        until = time.monotonic() + SLICE_SECONDS
        while rescan.step():
            if time.monotonic() >= until or self._slices.is_stopping:
                return True
        return False
