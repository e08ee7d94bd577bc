"""A runner of jobs that do nothing until they are told to end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from zope_exporter.maintenance.jobs.job import Job, Paths, Submission, Task
from zope_exporter.system.state import StateError


@dataclass
class IdleRunner:
    """Runs one job for each database, which ends by `finish`; `refusal` refuses all others too."""

    known: Sequence[tuple[str, str]] = (("intranet", "main"),)
    refusal: Submission | None = None
    broken: bool = False
    begun: list[Job] = field(default_factory=list)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        assert action in {"pack", "backup", "verify"}
        return self.known

    def submit(self, action: str, site: str, database: str, origin: str) -> Submission:
        if self.broken:
            raise StateError("the state file is broken")
        assert (site, database) in self.known
        if self.refusal:
            return self.refusal
        with self._mutex:
            if any(job.state == "running" and job.task.site == site for job in self.begun):
                return Submission(None, "busy", f"{site} is busy")
            job = _running(len(self.begun) + 1, Task(site, database, action), origin)
            self.begun.append(job)
            return Submission(job)

    def jobs(self) -> Sequence[Job]:
        if self.broken:
            raise StateError("the state file is broken")
        return self.begun[::-1]

    def job(self, number: int) -> Job | None:
        return next((job for job in self.jobs() if job.id == number), None)

    def finish(self) -> None:
        self.begun[:] = [replace(job, state="succeeded") for job in self.begun]


def _running(number: int, task: Task, origin: str) -> Job:
    begun = 1_800_000_000.0
    return Job(
        id=number,
        task=task,
        origin=origin,
        state="running",
        queued=begun,
        begun=begun,
        ended=None,
        stage="",
        done=0,
        total=0,
        log=(),
        code="",
        error="",
        result={},
        paths=Paths(),
    )
