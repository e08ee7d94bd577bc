"""What the status page says of jobs."""

from collections.abc import Iterator, Sequence

from zope_exporter.checks.finding import Severity
from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.system.humanize import duration

from .view import JobView

SHOWN = 10

_SEVERITIES = {
    "failed": Severity.CRITICAL,
    "interrupted": Severity.CRITICAL,
    "refused": Severity.WARNING,
}


def job_views(jobs: Sequence[Job], now: float) -> Iterator[JobView]:
    """Yield the newest jobs; what they logged is for those who hold the token."""
    for job in jobs[:SHOWN]:
        running = job.state == "running"
        yield JobView(
            job.id,
            str(job.task),
            job.state,
            _SEVERITIES.get(job.state, Severity.OK),
            job.stage if running else "",
            min(100.0, round(100 * job.done / job.total, 1)) if running and job.total else None,
            _when(job, now),
            job.error,
        )


def _when(job: Job, now: float) -> str:
    if job.ended is not None:
        took = f", took {duration(job.ended - job.begun)}" if job.begun is not None else ""
        return f"{duration(now - job.ended)} ago{took}"
    if job.begun is not None:
        return f"for {duration(now - job.begun)}"
    return f"waiting for {duration(now - job.queued)}"
