"""Running a job to its end, whatever that is."""

import logging

from zope_exporter.state import StateError

from .job import Outcome
from .lock import Patience, locked
from .recorder import Recorder
from .report import ActionError, InterruptedActionError, RefusedError, UncertainError
from .store import JobStore
from .work import Pending, Submission

log = logging.getLogger(__name__)


def execute(store: JobStore, pending: Pending, recorder: Recorder, patience: Patience) -> Outcome:
    """Run a job under the lock of its database, and note how it ended. Never raises.

    The job begins when it has the lock; until then it is queued.
    """
    try:
        outcome = _outcome(store, pending, recorder, patience)
        level = logging.INFO if outcome.state == "succeeded" else logging.WARNING
        number = pending.job.id
        log.log(level, "job %s, %s: %s %s", number, pending.job.task, outcome.state, outcome.error)
        try:
            recorder.save()
            store.end(number, outcome)
        except Exception as error:  # whatever it is, those behind it in the queue have their turn
            log.error("how job %s ended cannot be kept: %s", number, error)
    finally:
        pending.life.end()
    return outcome


def _outcome(store: JobStore, pending: Pending, recorder: Recorder, patience: Patience) -> Outcome:
    try:
        recorder.check()
        with locked(pending.work.lock, patience, recorder):
            store.begin(pending.job.id)
            return Outcome("succeeded", result=pending.work.run(recorder))
    except RefusedError as error:
        return Outcome("refused", error.code, Submission.refused(error).reason)
    except InterruptedActionError as error:
        return Outcome("interrupted", "stopped", str(error))
    except UncertainError as error:
        return Outcome("interrupted", "unknown", str(error))
    except (ActionError, StateError) as error:
        return Outcome("failed", "failed", str(error))
    except Exception as error:  # the one error boundary of actions
        log.exception("job %s", pending.job.id)
        return Outcome("failed", "unexpected", f"{type(error).__name__}: {error}")
