"""What a job runs: an action bound to a database, its lock and its traces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .job import Facts, Job, Places, Task
from .lease import Lease
from .lock import LockPlace
from .report import RefusedError, Report


@dataclass(frozen=True)
class Work:
    """An action on a database, ready to run; `cooldown` (seconds) is from one begin to the next."""

    task: Task
    run: Callable[[Report], Facts]
    lock: LockPlace
    places: Places = field(default_factory=Places)
    cooldown: float = 0.0


@dataclass(frozen=True)
class Pending:
    """A job of this process that has not ended; its life is to be ended after it."""

    job: Job
    life: Lease
    work: Work


class Catalog(Protocol):
    """All that could be done at the moment."""

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""

    def work(self, task: Task) -> Work:
        """Return what the task takes. Raises RefusedError if it cannot be done, and says why."""


@dataclass(frozen=True)
class Submission:
    """What became of a request: a job, or the code of a refusal and the reason for people."""

    job: Job | None
    refusal: str = ""
    reason: str = ""

    @classmethod
    def refused(cls, error: RefusedError) -> "Submission":
        """Return what an error says of a request."""
        return cls(None, error.code, error.reason + (f" ({error.remedy})" if error.remedy else ""))
