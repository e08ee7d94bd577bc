"""Running a job to its end, whatever that is, and keeping what it tells meanwhile."""

import logging
import time
from collections import deque
from collections.abc import Callable

from zope_exporter.system.state import StateError
from zope_exporter.system.trouble import Trouble

from .job import Outcome
from .lock import Patience, locked
from .report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
    Silent,
    UncertainError,
)
from .store import JobStore, Pending

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
        self._trouble = Trouble()

    @property
    def current(self) -> str:
        """The stage that was begun last."""
        return self._stage

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
            raise InterruptedActionError(self._stage or "beginning", "zope-exporter was stopped")

    def save(self) -> None:
        """Keep all that was told until now."""
        self._saved = self._clock()
        progress = self._stage, self._done, self._total, list(self._lines)
        try:
            self._store.progress(self._number, *progress)
        except Exception as error:  # no job fails for what it tells of itself
            if self._trouble.is_new(error):
                log.warning("the progress of job %s cannot be kept: %s", self._number, error)
        else:
            if self._trouble.is_over():
                log.info("the progress of job %s can be kept again", self._number)

    def _save_if_due(self) -> None:
        if self._clock() - self._saved >= SAVE_SECONDS:
            self.save()


def execute(store: JobStore, pending: Pending, recorder: Recorder, patience: Patience) -> Outcome:
    """Run a job under the lock of its database, and note how it ended.

    The job begins when it has the lock; until then it is queued. Raises KeyboardInterrupt only: a
    second Ctrl-C ends the process at once, and the job is then found dead.
    """
    outcome = _outcome(store, pending, recorder, patience)
    recorder.save()
    end(store, pending, outcome)
    level = logging.INFO if outcome.state == "succeeded" else logging.WARNING
    number, task = pending.job.id, pending.job.task
    log.log(level, "job %s, %s: %s %s", number, task, outcome.state, outcome.error)
    return outcome


def end(store: JobStore, pending: Pending, outcome: Outcome) -> None:
    """Note how a job ended, unless that is known already. Never raises.

    What cannot be noted now is noted by whoever next sees that the job no longer lives.
    """
    try:
        store.end(pending.job.id, outcome)
    except Exception as error:  # whatever it is, those behind it in the queue have their turn
        log.error("how job %s ended cannot be kept: %s", pending.job.id, error)
    finally:
        pending.lease.end()


def unexpected(error: BaseException, stage: str = "") -> Outcome:
    """Return the outcome of what died, in some stage, of something nobody has thought of."""
    where = f"{stage}: " if stage else ""
    return Outcome("failed", "unexpected", f"{where}{type(error).__name__}: {error}")


def _outcome(store: JobStore, pending: Pending, recorder: Recorder, patience: Patience) -> Outcome:
    try:
        recorder.check()
        with locked(pending.work.lock, patience, recorder):
            store.begin(pending.job.id)
            return Outcome("succeeded", result=pending.work.run(recorder))
    except RefusedError as error:
        return Outcome("refused", error.code, error.advice)
    except InterruptedActionError as error:
        return Outcome("interrupted", "stopped", str(error))
    except UncertainError as error:
        return Outcome("interrupted", "unknown", str(error))
    except (ActionError, StateError) as error:
        return Outcome("failed", "failed", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the one error boundary of actions; a library may say sys.exit
        log.exception("job %s", pending.job.id)
        return unexpected(error, recorder.current)
