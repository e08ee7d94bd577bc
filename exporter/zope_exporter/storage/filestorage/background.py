"""The one thread that scans, a little at a time and then pausing for longer."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .rescan import Rescan

SLICE_SECONDS = 0.01
PAUSES_A_SLICE = 3.0
IDLE_SECONDS = 1.0


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
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scan Data.fs", daemon=True)

    def start(self) -> None:
        """Begin to scan. Raises RuntimeError the second time."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the scans; how far they have come is saved."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def keep(self, paths: Iterable[Path]) -> Mapping[Path, Rescan]:
        """Scan these files, and no others, from now on; return the scan of each."""
        with self._lock:
            known = self._rescans
            self._rescans = {path: known.get(path) or self._make(path) for path in paths}
            if self._rescans.keys() - known.keys():
                self._wake.set()
            return self._rescans

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            begun = time.monotonic()
            busy = sum(self._work(rescan) for rescan in self._rescans.values())
            spent = time.monotonic() - begun
            self._wake.wait(spent * PAUSES_A_SLICE if busy else IDLE_SECONDS)
        for rescan in self._rescans.values():
            rescan.keep()

    def _work(self, rescan: Rescan) -> bool:
        until = time.monotonic() + SLICE_SECONDS
        while rescan.step():
            if time.monotonic() >= until or self._stopping.is_set():
                return True
        return False
