"""`jobs`: what was done, by whom, and how it ended."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from zope_exporter.config.load import load_config
from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.system.humanize import duration
from zope_exporter.system.log_format import set_up_logging
from zope_exporter.system.state import state_file

from .flags import config_flag, mistakes_told

SHOWN = 20


@click.command("jobs")
@click.argument("number", metavar="[ID]", type=int, required=False)
@config_flag
def jobs_command(number: int | None, config_file: Path | None) -> None:
    """Print the last packs, backups and verifications, or all about the one with the ID."""
    set_up_logging("error", "logfmt")  # the table says the rest
    with mistakes_told():
        store = JobStore(*state_file(load_config(config_file).state_dir))
        store.bury()
        if number is None:
            lines = _table(store.jobs(SHOWN))
        else:
            job = store.job(number)
            if job is None:
                click.echo(f"there is no job {number}", err=True)
                sys.exit(1)
            lines = _details(job)
    for line in lines:
        click.echo(line)


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
    return f"{datetime.fromtimestamp(moment, timezone.utc).astimezone():%Y-%m-%d %H:%M:%S}"
