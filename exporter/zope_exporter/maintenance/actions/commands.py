"""Programs of the operator's that run before and after a backup.

They are named by the configuration alone, and run without a shell. What they are given as arguments
may be secret, and is told nowhere; what they write is kept with the job, the end of it.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError, Report
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.subprocesses import Child, plain_environment

POLL_SECONDS = 0.2
SHOWN_LINES = 20
LONGEST_SHOWN = 1 << 16
LONGEST_LOG = 16 << 20


class Order(NamedTuple):
    """What to run, at which stage of which backup; `timeout` in seconds."""

    stage: str
    command: Sequence[str]
    timeout: float
    about: dict[str, str]


def run_command(order: Order, report: Report) -> None:
    """Run a program to its end. Raises ActionError of its stage unless that is a good one.

    Its whole process group is stopped when it takes or writes too much, and when we are.
    """
    name = Path(order.command[0]).name
    report.stage(order.stage)
    environ = plain_environment("HOME")
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        log = Path(directory, "log")
        with Child(order.command, log, cwd=Path("/"), env={**environ, **order.about}) as child:
            status = _status(child, log, order, report)
        for line in _lines(log):
            report.say(f"{name}: {line}")
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise ActionError(order.stage, f"{name} {how}", "its last words are in the job")
    report.say(f"{name} ended with status 0")


def _status(child: Child, log: Path, order: Order, report: Report) -> int:
    until = time.monotonic() + order.timeout
    while (status := child.wait(POLL_SECONDS)) is None:
        report.check()
        reason = ""
        if time.monotonic() > until:
            reason = f"did not end within {duration(order.timeout)}, and was stopped"
        elif log.stat().st_size > LONGEST_LOG:
            reason = f"wrote more than {size(LONGEST_LOG)}, and was stopped"
        if reason:
            name = Path(order.command[0]).name
            raise ActionError(order.stage, f"{name} {reason}", "see command_timeout")
    return status


def _lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - LONGEST_SHOWN, 0))
        text = file.read().decode(errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-SHOWN_LINES:]


@contextmanager
def surrounded(
    order: Callable[[str, Sequence[str], str], Order],
    before: Sequence[str],
    after: Sequence[str],
    report: Report,
) -> Iterator[None]:
    """Within, a backup is made; `order` makes one of a stage, a command, and how it went.

    Without a good end of `before` there is no backup, nor `after`. That is run even if the backup
    failed, whose error then counts; not when the job was told to end, which is to be soon.
    """
    if before:
        run_command(order("before", before, ""), report)
    try:
        yield
    except InterruptedActionError:
        raise
    except ActionError:
        if after:
            try:
                run_command(order("after", after, "failed"), report)
            except ActionError as error:
                report.say(str(error))
        raise
    if after:
        run_command(order("after", after, "succeeded"), report)
