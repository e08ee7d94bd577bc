"""Walking a blob directory again and again in the background, at low priority."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.system.periodic import Periodic, read_when_idle

from .directory import BlobUsage, StoppedError, measure

SHARE = 0.05
SLICE_SECONDS = 0.01
# A short walk is repeated soon, a long one not sooner than is fair to the disk.
PAUSE_FACTOR = 20.0
MIN_PAUSE_SECONDS = 600.0
MAX_PAUSE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class BlobScan:
    """The last complete walk: what it found, and when it ended, in seconds since the epoch."""

    usage: BlobUsage
    ended: float


def pause_after(walk: float) -> float:
    """Return how long to wait after a walk that took so long, both in seconds."""
    return min(max(walk * PAUSE_FACTOR, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)


class Pace:
    """Keeps its thread at a share of a core, resting after each 10 ms of work.

    `stopping` ends a rest and, by StoppedError, the work.
    """

    def __init__(
        self,
        stopping: threading.Event,
        share: float = SHARE,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._stopping = stopping
        self._rest = 1 / share - 1
        self._used = used
        self._rested = used()
        self.steps = 0

    def step(self) -> None:
        """Count a step, and rest if it is time to. Raises StoppedError."""
        self.steps += 1
        worked = self._used() - self._rested
        if worked >= SLICE_SECONDS:
            self._stopping.wait(worked * self._rest)
            self._rested = self._used()
        if self._stopping.is_set():
            raise StoppedError


class BlobScanner:
    """Walks one blob directory in a thread of its own, which may hang as long as its disk does."""

    def __init__(
        self,
        blob_dir: Path,
        data_fs: Path,
        share: float = SHARE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._blob_dir = blob_dir
        self._data_fs = data_fs
        self._share = share
        self._clock = clock
        self._pace: Pace | None = None
        self._stopping = threading.Event()
        self._scan: BlobScan | None = None
        self._problem: Exception | None = None
        self._walks = Periodic(f"blobs {blob_dir}", self._walk, MIN_PAUSE_SECONDS)
        self._walks.start()

    @property
    def scan(self) -> BlobScan | None:
        """The last complete walk, None before the first."""
        return self._scan

    @property
    def problem(self) -> Exception | None:
        """What ended the last walk early, None if it was complete."""
        return self._problem

    @property
    def seen(self) -> int:
        """How many files the walk in progress has seen, 0 between walks."""
        pace = self._pace
        return pace.steps if pace else 0

    def wait(self, timeout: float) -> bool:
        """Wait until the first walk has ended; return whether it has."""
        return self._walks.wait_for_first(timeout)

    def stop(self, timeout: float = 1.0) -> None:
        """End the walks; one whose disk hangs is left behind after `timeout` seconds."""
        self._stopping.set()
        self._walks.stop(timeout)

    def _walk(self) -> float:
        read_when_idle()
        began = time.monotonic()
        self._pace = pace = Pace(self._stopping, self._share)
        try:
            usage = measure(self._blob_dir, self._data_fs, pace.step, self._clock)
        except StoppedError:
            pass
        except Exception as error:  # it is not repeated sooner for that; BlobCollector raises this
            self._problem = error
        else:
            self._scan, self._problem = BlobScan(usage, self._clock()), None
        self._pace = None
        return pause_after(time.monotonic() - began)
