"""A runner of jobs that do nothing until they are told to end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zope_exporter.system.state import StateError


@dataclass
class IdleJob:
    id: int
    action: str
    site: str
    database: str
    origin: str
    result: str = "running"

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Answer:
    job: IdleJob | None = None
    refusal: str = ""
    reason: str = ""


@dataclass
class IdleRunner:
    """Runs one job for each database, which ends by `finish`; `refusal` refuses all others too."""

    known: Sequence[tuple[str, str]] = (("intranet", "main"),)
    refusal: Answer | None = None
    broken: bool = False
    begun: list[IdleJob] = field(default_factory=list)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        assert action in {"pack", "backup", "verify"}
        return self.known

    def submit(self, action: str, site: str, database: str, origin: str) -> Answer:
        if self.broken:
            raise StateError("the state file is broken")
        assert (site, database) in self.known
        if self.refusal:
            return self.refusal
        with self._mutex:
            if any(job.result == "running" and job.site == site for job in self.begun):
                return Answer(None, "busy", f"{site} is busy")
            job = IdleJob(len(self.begun) + 1, action, site, database, origin)
            self.begun.append(job)
            return Answer(job)

    def jobs(self) -> Sequence[IdleJob]:
        if self.broken:
            raise StateError("the state file is broken")
        return self.begun[::-1]

    def job(self, number: int) -> IdleJob | None:
        return next((job for job in self.jobs() if job.id == number), None)

    def finish(self) -> None:
        for job in self.begun:
            job.result = "succeeded"
