"""Running a job to its end, whatever that is."""

import logging

from zope_exporter.system.state import StateError

from .job import Outcome
from .lock import Patience, locked
from .recorder import Recorder
from .report import ActionError, InterruptedActionError, RefusedError, UncertainError
from .store import JobStore
from .work import Pending, Submission

log = logging.getLogger(__name__)


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
        pending.life.end()


def unexpected(error: BaseException) -> Outcome:
    """Return the outcome of what died of something nobody has thought of."""
    return Outcome("failed", "unexpected", f"{type(error).__name__}: {error}")


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
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the one error boundary of actions; a library may say sys.exit
        log.exception("job %s", pending.job.id)
        return unexpected(error)
