"""The history of jobs in the state file, shared by the exporter and the shell.

A job that shows there as queued or running holds its lease; one that does not has died, and
whoever looks next says so.
"""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zope_exporter.system.humanize import duration
from zope_exporter.system.state import StateError, open_state

from . import tallies
from .job import PLAIN_FIELDS, UNFINISHED, Job, Outcome, Paths, Task, Work
from .lease import Lease, is_alive, leftovers
from .report import RefusedError
from .tallies import JobTally

log = logging.getLogger(__name__)

KEPT = 1000
SHOWN = 100
# The end of a job is worth waiting for whoever else writes the state file.
END_TIMEOUT = 30.0
TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    database TEXT NOT NULL,
    action TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    queued REAL NOT NULL,
    begun REAL,
    ended REAL,
    stage TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    log TEXT NOT NULL DEFAULT '[]',
    code TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '{}',
    data_fs BLOB,      -- a path need not be text
    repository BLOB
)
"""


@dataclass(frozen=True)
class Pending:
    """A job of this process that has not ended; its lease is to be ended after it."""

    job: Job
    lease: Lease
    work: Work


class JobStore:
    """Every method raises StateError if the state file cannot be used, for the reason `problem`."""

    def __init__(
        self, state: Path | None, problem: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._state = state
        self._problem = problem
        self._clock = clock

    @property
    def is_kept(self) -> bool:
        """Whether there is a state file at all."""
        return self._state is not None

    @property
    def file(self) -> Path | None:
        """The state file, None if there is none."""
        return self._state

    @property
    def directory(self) -> Path:
        """The state directory."""
        return self._file.parent

    def add(self, work: Work, origin: str, cooldown: float = 0.0) -> Pending:
        """Queue a job of this process.

        Raises RefusedError: `duplicate` if the same is under way, `cooldown` if its last run began
        less than that many seconds ago.
        """
        self.reap()
        with ExitStack() as undo:
            with self._open() as state:
                _refuse_duplicate(state, work.task)
                self._refuse_within(state, work.task, cooldown)
                number = self._insert(state, work, origin)
                lease = Lease(self._lease_file(number))
                undo.callback(lease.end)
                job = _one(state, number)
            undo.pop_all()
        return Pending(job, lease, work)

    def begin(self, number: int) -> None:
        """Note that a job runs now."""
        now = self._clock()
        with self._open() as state:
            begun = "UPDATE jobs SET state = 'running', begun = ? WHERE id = ?"
            state.execute(begun, (now, number))

    def progress(self, number: int, stage: str, done: int, total: int, log: list[str]) -> None:
        """Keep how far a job has come."""
        with self._open() as state:
            state.execute(
                "UPDATE jobs SET stage = ?, done = ?, total = ?, log = ? WHERE id = ?",
                (_as_text(stage), done, total, json.dumps(_as_text(log)), number),
            )

    def end(self, number: int, outcome: Outcome) -> None:
        """Note how a job ended, unless that is known already."""
        with self._open(END_TIMEOUT) as state:
            job = _one(state, number)
            if job.state in UNFINISHED:
                self._end(state, job, outcome)

    def reap(self) -> None:
        """Note of jobs whose process died that they are interrupted, and what they left behind."""
        with self._open() as state:
            dead = [job for job in _unfinished(state) if not is_alive(self._lease_file(job.id))]
        for job in dead:
            # Outside of the transaction: a file system that hangs must not hold the state file.
            told = "; ".join(["its process died, or could not note how it ended", *leftovers(job)])
            log.warning("job %s, %s, was interrupted: %s", job.id, job.task, told)
            self.end(job.id, Outcome("interrupted", "died", told))
            self._lease_file(job.id).unlink(missing_ok=True)

    def jobs(self, limit: int = SHOWN) -> list[Job]:
        """Return the newest jobs, at most `limit`, the newest first."""
        with self._open() as state:
            found = state.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (limit,))
            return [_job_of(row) for row in found]

    def succeeded(self, task: Task, limit: int) -> list[Job]:
        """Return the newest jobs of a task that succeeded, at most `limit`, the newest first."""
        with self._open() as state:
            found = state.execute(
                "SELECT * FROM jobs WHERE state = 'succeeded' AND site = ? AND database = ?"
                " AND action = ? ORDER BY id DESC LIMIT ?",
                (*task, limit),
            )
            return [_job_of(row) for row in found]

    def job(self, number: int) -> Job | None:
        """Return one of them."""
        with self._open() as state:
            return _find(state, number)

    def summary(self) -> tuple[list[JobTally], list[Job]]:
        """Return all tallies, and the jobs that are queued or running, of one moment."""
        with self._open() as state:
            return tallies.read_tallies(state), _unfinished(state)

    @property
    def _file(self) -> Path:
        if self._state is None:
            raise StateError(self._problem or "no state is kept")
        return self._state

    @contextmanager
    def _open(self, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
        with open_state(self._file, timeout) as state:
            state.row_factory = sqlite3.Row
            state.execute(TABLE)
            state.execute(tallies.TABLE)
            yield state

    def _lease_file(self, number: int) -> Path:
        return self.directory / "jobs" / f"{number}.lock"

    def _refuse_within(self, state: sqlite3.Connection, task: Task, cooldown: float) -> None:
        # A clock that was put back must not forbid the action until it has caught up.
        age = self._clock() - (tallies.last_begin(state, task) or 0)
        if 0 <= age < cooldown:
            reason = f"the last {task} began {duration(age)} ago, within the cooldown"
            remedy = f"wait for another {duration(cooldown - age)}"
            raise RefusedError("cooldown", reason, remedy)

    def _insert(self, state: sqlite3.Connection, work: Work, origin: str) -> int:
        tallies.tally_request(state, work.task)
        paths = map(_path_bytes, (work.paths.data_fs, work.paths.repository))
        number = state.execute(
            "INSERT INTO jobs (site, database, action, origin, state, queued, data_fs, repository)"
            " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?)",
            (*work.task, origin, self._clock(), *paths),
        ).lastrowid
        assert number is not None  # noqa: S101  always so after an INSERT
        forgotten = "DELETE FROM jobs WHERE id <= ? AND state NOT IN ('queued', 'running')"
        state.execute(forgotten, (number - KEPT,))
        return number

    def _end(self, state: sqlite3.Connection, job: Job, outcome: Outcome) -> None:
        now = self._clock()
        tallies.tally_end(state, job, outcome.state, now)
        error, result = _as_text(outcome.error), json.dumps(_as_text(outcome.result))
        state.execute(
            "UPDATE jobs SET state = ?, ended = ?, code = ?, error = ?, result = ? WHERE id = ?",
            (outcome.state, now, outcome.code, error, result, job.id),
        )


def _refuse_duplicate(state: sqlite3.Connection, task: Task) -> None:
    for job in _unfinished(state):
        if job.task == task:
            reason = f"{task} is {job.state} already as job {job.id}, asked for by {job.origin}"
            raise RefusedError("duplicate", reason)


def _find(state: sqlite3.Connection, number: int) -> Job | None:
    row = state.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
    return None if row is None else _job_of(row)


def _one(state: sqlite3.Connection, number: int) -> Job:
    job = _find(state, number)
    if job is None:
        raise StateError(f"job {number} is no longer known: was the state file moved away?")
    return job


def _unfinished(state: sqlite3.Connection) -> list[Job]:
    unfinished = "SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY id"
    return [_job_of(row) for row in state.execute(unfinished)]


def _job_of(row: sqlite3.Row) -> Job:
    """Return the job of a row."""
    return Job(
        task=Task(row["site"], row["database"], row["action"]),
        log=tuple(json.loads(row["log"])),
        result=json.loads(row["result"]),
        paths=Paths(_path(row["data_fs"]), _path(row["repository"])),
        **{name: row[name] for name in PLAIN_FIELDS},
    )


def _as_text(value: Any) -> Any:
    """Return what is told in terms of JSON with all its texts such as can be kept and sent.

    Whoever names a file may put bytes there that are no UTF-8; they are shown escaped.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(each) for each in value]
    return value


def _path_bytes(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _path(path: bytes | None) -> Path | None:
    return None if path is None else Path(os.fsdecode(path))
