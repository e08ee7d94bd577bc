"""Jobs whose work the test decides on, and processes that run them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.maintenance.jobs.job import Facts, Outcome, Paths, Task, Work
from zope_exporter.maintenance.jobs.lock import LockPath
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.jobs.store import JobStore

MAIN = Task("intranet", "main", "pack")


@dataclass
class Gate:
    """Work that says when it began, and goes on when it is told to or asked to stop."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, report: Report) -> Facts:
        report.stage("waiting in the test", 100)
        report.advance(25)
        self.begun.set()
        while not self.go_on.wait(0.01):
            report.check()
        return {"freed_bytes": 5}


def nothing(_: Report) -> Facts:
    return {}


def work(
    directory: Path,
    run: Callable[[Report], Facts] = nothing,
    task: Task = MAIN,
    paths: Paths | None = None,
    cooldown: float = 0.0,
) -> Work:
    """Work on a database in `directory`."""
    path = LockPath(directory, directory / "fallback.lock")
    return Work(task, run, path, paths or Paths(), cooldown)


class ListedWork:
    """A catalog of the works given."""

    def __init__(self, *works: Work) -> None:
        self._works = {work.task: work for work in works}

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        return [(task.site, task.database) for task in self._works if task.action == action]

    def work(self, task: Task) -> Work:
        if task not in self._works:
            raise RefusedError("unknown", "there is no such thing")
        return self._works[task]


def has_run(state: Path, begun: float, took: float, result: Facts, task: Task = MAIN) -> None:
    """Have a job in the history that has succeeded, its begin in seconds since the epoch."""
    now = begun
    store = JobStore(state, clock=lambda: now)
    pending = store.add(work(state.parent, task=task), "shell")
    store.begin(pending.job.id)
    now += took
    store.end(pending.job.id, Outcome("succeeded", result=result))
    pending.lease.end()
