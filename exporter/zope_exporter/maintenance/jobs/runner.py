"""Running jobs in the background: one at a time for each database, the others in a queue."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from zope_exporter.system.state import StateError

from .execution import Recorder, end, execute, unexpected
from .job import Catalog, Job, Outcome, Submission, Task, Work
from .lock import LockPath, Patience
from .lower_priority import lower_priority
from .report import RefusedError
from .store import JobStore, Pending

log = logging.getLogger(__name__)

# A backup that cron began may last; a job of ours comes after it.
PATIENCE_SECONDS = 3600.0
# systemd kills 90 s after it has asked for the end.
STOP_SECONDS = 60.0
_NO_THREAD = "no thread could be started for it"


class Runner:
    """Takes requests until it is stopped. `submit`, `jobs` and `job` raise StateError.

    `lower_priority` is called once in each thread before its first job.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: JobStore,
        patience: float = PATIENCE_SECONDS,
        lower_priority: Callable[[], None] = lower_priority,
    ) -> None:
        self._catalog = catalog
        self._lower_priority = lower_priority
        self._store = store
        self._stopping = threading.Event()
        self._patience = Patience(patience, self._stopping.wait)
        self._mutex = threading.Lock()
        self._queues: dict[LockPath, deque[Pending]] = {}
        self._threads: set[threading.Thread] = set()
        with suppress(StateError):  # whoever asks for something is told
            store.reap()

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""
        return self._catalog.targets(action)

    def submit(self, action: str, site: str, database: str, origin: str) -> Submission:
        """Queue a job and return at once."""
        try:
            work = self._catalog.work(Task(site, database, action))
            return Submission(self._enqueue(work, origin))
        except RefusedError as error:
            return Submission(None, error.code, error.advice)

    def jobs(self) -> Sequence[Job]:
        """Return the last jobs, the newest first, also those of the shell."""
        self._store.reap()
        return self._store.jobs()

    def job(self, number: int) -> Job | None:
        """Return one of them."""
        self._store.reap()
        return self._store.job(number)

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End the jobs where that does no harm; give up on those that do not within `timeout`.

        The queued ones are interrupted at once.
        """
        with self._mutex:
            self._stopping.set()
            threads = list(self._threads)
        until = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._mutex:
            left = [pending for queue in self._queues.values() for pending in queue]
        for pending in left:
            reason = "zope-exporter ended, and the action came to no point where it could"
            end(self._store, pending, Outcome("interrupted", "abandoned", reason))

    def _enqueue(self, work: Work, origin: str) -> Job:
        with self._mutex:
            if self._stopping.is_set():
                raise RefusedError("stopping", "zope-exporter is about to end", "try again later")
            pending = self._store.add(work, origin, work.cooldown)
            queue = self._queues.setdefault(work.lock, deque())
            queue.append(pending)
            if len(queue) == 1:
                self._start(work)
        return pending.job

    def _start(self, work: Work) -> None:
        thread = threading.Thread(
            target=self._work_off, args=(work.lock,), name=str(work.task), daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            (pending,) = self._queues.pop(work.lock)
            end(self._store, pending, Outcome("interrupted", "abandoned", _NO_THREAD))
            raise RefusedError("threads", f"no thread can be started: {error}") from error
        self._threads.add(thread)

    def _work_off(self, lock: LockPath) -> None:
        try:
            self._run_all(lock)
        except BaseException as error:  # no job may stay queued where nobody will get to it
            with self._mutex:
                left = self._queues.pop(lock, deque())
                self._threads.discard(threading.current_thread())
            for pending in left:
                self._fail(pending, error)

    def _run_all(self, lock: LockPath) -> None:
        """Run the jobs of a queue; whatever one of them dies of, the next has its turn."""
        pending: Pending | None = self._queues[lock][0]
        prepare = self._lower_priority
        while pending is not None:
            try:
                prepare()
                prepare = _nothing
                recorder = Recorder(self._store, pending.job.id, self._stopping.is_set)
                execute(self._store, pending, recorder, self._patience)
            except BaseException as error:  # also SystemExit, which would end the thread in silence
                self._fail(pending, error)
            pending = self._next(lock)

    def _fail(self, pending: Pending, error: BaseException) -> None:
        log.error("job %s, %s, has died", pending.job.id, pending.job.task, exc_info=error)
        end(self._store, pending, unexpected(error))

    def _next(self, lock: LockPath) -> Pending | None:
        """Forget the first of the queue, which has ended, and return the one after it."""
        with self._mutex:
            queue = self._queues[lock]
            queue.popleft()
            if queue:
                return queue[0]
            del self._queues[lock]
            self._threads.discard(threading.current_thread())
            return None


def _nothing() -> None: ...
