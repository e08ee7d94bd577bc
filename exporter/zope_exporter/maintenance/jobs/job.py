"""A job: one action on one database, from the request to its end.

`Work` is what is to be done, `Job` how far that has come, as the state file has it, `Outcome` how
it ended. Whoever takes requests over HTTP needs a `JobRunner` and nothing else of this package.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from .lock import LockPath
from .report import Report

State = Literal["queued", "running", "succeeded", "failed", "refused", "interrupted"]

UNFINISHED: tuple[State, ...] = ("queued", "running")
UNSUCCESSFUL: tuple[State, ...] = ("failed", "refused", "interrupted")

Facts = Mapping[str, Any]
"""What an action brought to light, in terms of JSON."""


class Task(NamedTuple):
    """What is done to what; also what a series of the metrics of actions is about."""

    site: str
    database: str
    action: str

    def __str__(self) -> str:
        return f"{self.action} of {self.database} of {self.site}"


@dataclass(frozen=True)
class Paths:
    """Where an action leaves something behind if its process dies."""

    data_fs: Path | None = None
    repository: Path | None = None


@dataclass(frozen=True)
class Work:
    """An action on a database, ready to run; `cooldown` (seconds) is from one begin to the next."""

    task: Task
    run: Callable[[Report], Facts]
    lock: LockPath
    paths: Paths = field(default_factory=Paths)
    cooldown: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended; `code` names which refusal or what kind of end, `error` is for people."""

    state: State
    code: str = ""
    error: str = ""
    result: Facts = field(default_factory=dict)


# Those of a job that are the same in its row, its JSON and here.
PLAIN_FIELDS = (
    *("id", "origin", "state", "queued", "begun", "ended"),
    *("stage", "done", "total", "code", "error"),
)


@dataclass(frozen=True)
class Job:
    """`origin` is who asked for it. `done` and `total` are of the stage, 0 where nobody can know.

    All times are in seconds since the epoch.
    """

    id: int
    task: Task
    origin: str
    state: State
    queued: float
    begun: float | None
    ended: float | None
    stage: str
    done: int
    total: int
    log: tuple[str, ...]
    code: str
    error: str
    result: Facts
    paths: Paths

    def as_json(self) -> dict[str, Any]:
        """Return what the API shows of it."""
        shown = {name: getattr(self, name) for name in PLAIN_FIELDS}
        return {**self.task._asdict(), **shown, "log": list(self.log), "result": dict(self.result)}


@dataclass(frozen=True)
class Submission:
    """What became of a request: a job, or the code of a refusal and the reason for people."""

    job: Job | None
    refusal: str = ""
    reason: str = ""


class Catalog(Protocol):
    """All that could be done at the moment."""

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""

    def work(self, task: Task) -> Work:
        """Return what the task takes. Raises RefusedError if it cannot be done, and says why."""


class JobRunner(Protocol):
    """Runs one job at a time for each database. Raises StateError if nothing can be kept of it."""

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""

    def submit(self, action: str, site: str, database: str, origin: str) -> Submission:
        """Begin a job and return at once."""

    def jobs(self) -> Sequence[Job]:
        """Return the jobs that are remembered, the newest first."""

    def job(self, number: int) -> Job | None:
        """Return one of them."""


class TargetError(Exception):
    """A request or an alert does not tell which database is meant."""


class UnknownTargetError(TargetError):
    """It names one that the action is not configured for."""


def choose_target(
    targets: Sequence[tuple[str, str]], site: str | None, database: str | None
) -> tuple[str, str]:
    """Return the one target that is meant; what is not named may be left out if only one fits.

    Raises TargetError, whose text holds no more of the request than that something was in it.
    """
    fitting = [
        target for target in targets if site in {None, target[0]} and database in {None, target[1]}
    ]
    if not fitting:
        named = " and ".join(what for what, name in _named(site, database) if name is not None)
        known = f"no such {named}" if named else "no database is configured for this"
        raise UnknownTargetError(known)
    if len(fitting) > 1:
        missing = " and ".join(what for what, name in _named(site, database) if name is None)
        raise TargetError(f"several databases could be meant; name the {missing}")
    return fitting[0]


def _named(site: str | None, database: str | None) -> tuple[tuple[str, str | None], ...]:
    return ("site", site), ("database", database)
