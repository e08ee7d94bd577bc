"""The report of a job: what an action tells goes into the job's row."""

import logging
import time
from collections import deque
from collections.abc import Callable

from .report import InterruptedActionError, Report, Silent
from .store import JobStore

log = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
LINES = 100
LINE_LENGTH = 500


class Recorder:
    """Keeps the progress of one job, at most every second unless a stage begins.

    A state file that cannot be written does not end the action. `stopping` tells whether it shall
    end at the next point where that does no harm. All is passed on to `audience`.
    """

    def __init__(
        self,
        store: JobStore,
        number: int,
        stopping: Callable[[], bool],
        audience: Report | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._number = number
        self._stopping = stopping
        self._audience = audience or Silent()
        self._clock = clock
        self._stage = ""
        self._done = self._total = 0
        self._lines: deque[str] = deque(maxlen=LINES)
        self._saved = clock()

    def stage(self, name: str, total: int = 0) -> None:
        self._stage, self._done, self._total = name, 0, total
        self._audience.stage(name, total)
        self.save()

    def advance(self, count: int) -> None:
        self._done += count
        self._audience.advance(count)
        self._save_if_due()

    def say(self, text: str) -> None:
        self._lines.append(text[:LINE_LENGTH])
        self._audience.say(text)
        log.info("job %s: %s", self._number, text)
        self._save_if_due()

    def check(self) -> None:
        if self._stopping():
            raise InterruptedActionError(
                self._stage or "beginning", "zope-exporter was told to end"
            )

    def save(self) -> None:
        """Keep all that was told until now."""
        self._saved = self._clock()
        progress = self._stage, self._done, self._total, list(self._lines)
        try:
            self._store.progress(self._number, *progress)
        except Exception as error:  # no job fails for what it tells of itself
            log.warning("the progress of job %s cannot be kept: %s", self._number, error)

    def _save_if_due(self) -> None:
        if self._clock() - self._saved >= SAVE_SECONDS:
            self.save()
