"""The one thread that scans, a little at a time and then pausing for longer."""

import threading
import time
from collections.abc import Callable, Iterable

from .rescan import Rescan

SLICE_SECONDS = 0.01
PAUSES_A_SLICE = 3.0
IDLE_SECONDS = 1.0


class Background:
    """Steps through all scans that are due, for a quarter of the time of one processor at most.

    No lock is held while a scan reads, so that scrapes wait for no slice to end.
    """

    def __init__(self, rescans: Callable[[], Iterable[Rescan]]) -> None:
        self._rescans = rescans
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scan Data.fs", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the scans; how far they have come is saved."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            busy = sum(self._work(rescan) for rescan in self._rescans())
            spent = time.monotonic() - begun
            self._stopping.wait(spent * PAUSES_A_SLICE if busy else IDLE_SECONDS)
        for rescan in self._rescans():
            rescan.keep()

    def _work(self, rescan: Rescan) -> bool:
        until = time.monotonic() + SLICE_SECONDS
        while rescan.step():
            if time.monotonic() >= until or self._stopping.is_set():
                return True
        return False
