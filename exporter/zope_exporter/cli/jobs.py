"""`jobs`: what was done, by whom, and how it ended."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.system.humanize import duration
from zope_exporter.system.state_look import state_to_look_at

from .flags import read_config

SHOWN = 20


def history(
    config_file: Path | None, number: int | None, as_json: bool = False
) -> Iterator[str] | None:
    """Return the lines about the last jobs, or about the one of that number; None without it."""
    with state_to_look_at(read_config(config_file).state_dir) as (state, problem):
        store = JobStore(state, problem)
        store.reap()
        found = store.jobs(SHOWN) if number is None else store.job(number)
    if found is None:
        return None
    if isinstance(found, Job):
        return iter([_json(found.as_json())]) if as_json else _details(found)
    return iter([_json([job.as_json() for job in found])]) if as_json else _table(found)


def _json(value: object) -> str:
    return json.dumps(value, indent=2)


def _table(jobs: Sequence[Job]) -> Iterator[str]:
    if not jobs:
        yield "nothing was done yet"
    rows = [_row(job) for job in jobs]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, job in zip(rows, jobs, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join((*cells, _how(job))).rstrip()


def _row(job: Job) -> tuple[str, str, str, str, str]:
    return str(job.id), _time(job.begun or job.queued), job.state, str(job.task), job.origin


def _how(job: Job) -> str:
    if job.ended is None:
        return f"{job.stage}{_share(job)}"
    if job.begun is None:
        return job.error
    return ": ".join(filter(None, (f"after {duration(job.ended - job.begun)}", job.error)))


def _share(job: Job) -> str:
    return f" {min(1.0, job.done / job.total):.0%}" if job.total else ""


def _details(job: Job) -> Iterator[str]:
    yield f"job {job.id}: {job.task}, asked for by {job.origin}"
    for name in ("queued", "begun", "ended"):
        moment = getattr(job, name)
        if moment is not None:
            yield f"{name}: {_time(moment)}"
    yield f"state: {job.state}"
    if job.stage:
        yield f"stage: {job.stage}{_share(job)}"
    if job.error:
        yield f"error: {job.error}"
    for key, value in job.result.items():
        yield f"{key}: {value}"
    yield from job.log


def _time(moment: float) -> str:
    local = datetime.fromtimestamp(moment, timezone.utc).astimezone()
    return local.isoformat(" ", "seconds")
