"""What became of the actions, those of the shell included, and how far the running ones are."""

from collections.abc import Callable, Iterable, Iterator

from zope_exporter.maintenance.jobs.job import Job, Task
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.jobs.tallies import JobTally
from zope_exporter.metrics.metric import Metric, Sample

LABELS = ("site", "database", "action")

RUNS = Metric(
    "zope_action_runs_total",
    "counter",
    "Jobs that ended, with or without success; the action is pack, backup or verify.",
    LABELS,
)
FAILURES = Metric(
    "zope_action_failures_total",
    "counter",
    "Jobs that ended without success: failed, interrupted, or refused by a precondition "
    "such as room on the disk.",
    LABELS,
)
RUNNING = Metric(
    "zope_action_running",
    "gauge",
    "Whether a job of this action runs (1), or none runs or it only waits (0).",
    LABELS,
)
PROGRESS = Metric(
    "zope_action_progress_ratio",
    "gauge",
    "Progress of the present stage of the running job, from 0 to 1; absent while none runs "
    "or the progress is unknown.",
    LABELS,
)
LAST_DURATION = Metric(
    "zope_action_last_duration_seconds",
    "gauge",
    "Duration of the last successful job; absent before the first.",
    LABELS,
)
LAST_SUCCESS = Metric(
    "zope_action_last_success_timestamp_seconds",
    "gauge",
    "Time at which the last successful job ended, in seconds since the epoch; absent before"
    " the first.",
    LABELS,
)
LAST_FAILURE = Metric(
    "zope_action_last_failure_timestamp_seconds",
    "gauge",
    "Time at which the last job without success ended, in seconds since the epoch; absent "
    "before the first.",
    LABELS,
)


class ActionsCollector:
    """Reads the history of jobs; `configured` gives the tasks to show before they ever ran."""

    name = "actions"
    metrics = (RUNS, FAILURES, RUNNING, PROGRESS, LAST_DURATION, LAST_SUCCESS, LAST_FAILURE)

    def __init__(self, store: JobStore, configured: Callable[[], Iterable[Task]]) -> None:
        self._store = store
        self._configured = configured

    def collect(self) -> Iterator[Sample]:
        tasks = list(self._configured())
        if not tasks and not self._store.is_kept:
            return
        self._store.reap()
        tallies, unfinished = self._store.summary()
        known = {tally.task: tally for tally in tallies}
        running = {job.task: job for job in unfinished if job.state == "running"}
        for task in dict.fromkeys([*tasks, *known]):
            tally = known.get(task) or JobTally(task)
            yield from _samples(tally, running.get(task))


def _samples(tally: JobTally, running: Job | None) -> Iterator[Sample]:
    labels = tally.task._asdict()
    yield RUNS(tally.ended, **labels)
    yield FAILURES(tally.unsuccessful, **labels)
    yield RUNNING(running is not None, **labels)
    if running is not None and running.total:
        yield PROGRESS(min(1.0, running.done / running.total), **labels)
    if tally.last_success is not None and tally.last_duration is not None:
        yield LAST_SUCCESS(tally.last_success, **labels)
        yield LAST_DURATION(tally.last_duration, **labels)
    if tally.last_failure is not None:
        yield LAST_FAILURE(tally.last_failure, **labels)
