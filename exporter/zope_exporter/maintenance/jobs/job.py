"""A job: one action on one database, from the moment it was asked for, as the state file has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
class Places:
    """Where an action leaves something behind if its process dies."""

    data_fs: Path | None = None
    repository: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended; `code` names which refusal or what kind of end, `error` is for people."""

    state: State
    code: str = ""
    error: str = ""
    result: Facts = field(default_factory=dict)


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
    places: Places

    def as_json(self) -> dict[str, Any]:
        """Return what the API shows of it."""
        shown = {name: getattr(self, name) for name in _SHOWN}
        return {**self.task._asdict(), **shown, "log": list(self.log), "result": dict(self.result)}


_SHOWN = (
    *("id", "origin", "state", "queued", "begun", "ended"),
    *("stage", "done", "total", "code", "error"),
)
