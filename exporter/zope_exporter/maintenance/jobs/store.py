"""The history of jobs in the state file, shared by the sidecar and the shell.

A job that shows there as queued or running holds its life file; one that does not has died, and
whoever looks next says so.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zope_exporter.system.humanize import duration
from zope_exporter.system.state import StateError, open_state

from . import rows, tallies
from .job import UNFINISHED, Job, Outcome, Task
from .lease import Lease, is_alive
from .leftovers import remains
from .report import RefusedError
from .tallies import Tally
from .work import Pending, Work

log = logging.getLogger(__name__)

KEPT = 1000
SHOWN = 100
# The end of a job is worth waiting for whoever else writes the state file.
END_TIMEOUT = 30.0


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
    def directory(self) -> Path:
        """The state directory."""
        return self._file.parent

    def add(self, work: Work, origin: str, cooldown: float = 0.0) -> Pending:
        """Queue a job of this process.

        Raises RefusedError: `duplicate` if the same is under way, `cooldown` if its last run began
        less than that many seconds ago.
        """
        self.bury()
        with ExitStack() as undo:
            with self._open() as state:
                _refuse_duplicate(state, work.task)
                self._refuse_within(state, work.task, cooldown)
                number = self._insert(state, work, origin)
                life = Lease(self._life_file(number))
                undo.callback(life.end)
                job = _one(state, number)
            undo.pop_all()
        return Pending(job, life, work)

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
                (rows.as_text(stage), done, total, json.dumps(rows.as_text(log)), number),
            )

    def end(self, number: int, outcome: Outcome) -> None:
        """Note how a job ended, unless that is known already."""
        with self._open(END_TIMEOUT) as state:
            job = _one(state, number)
            if job.state in UNFINISHED:
                self._end(state, job, outcome)

    def bury(self) -> None:
        """Note of jobs whose process died that they are interrupted, and what they left behind."""
        with self._open() as state:
            dead = [job for job in _unfinished(state) if not is_alive(self._life_file(job.id))]
        for job in dead:
            # Outside of the transaction: a file system that hangs must not hold the state file.
            told = "; ".join(["its process died, or could not note how it ended", *remains(job)])
            log.warning("job %s, %s, was interrupted: %s", job.id, job.task, told)
            self.end(job.id, Outcome("interrupted", "died", told))
            self._life_file(job.id).unlink(missing_ok=True)

    def jobs(self, limit: int = SHOWN) -> list[Job]:
        """Return the newest jobs, at most `limit`, the newest first."""
        with self._open() as state:
            found = state.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (limit,))
            return [rows.job_of(row) for row in found]

    def job(self, number: int) -> Job | None:
        """Return one of them."""
        with self._open() as state:
            row = state.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
            return None if row is None else rows.job_of(row)

    def standing(self) -> tuple[list[Tally], list[Job]]:
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
            state.execute(rows.TABLE)
            state.execute(tallies.TABLE)
            yield state

    def _life_file(self, number: int) -> Path:
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
        places = map(rows.path_bytes, (work.places.data_fs, work.places.repository))
        number = state.execute(
            "INSERT INTO jobs (site, database, action, origin, state, queued, data_fs, repository)"
            " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?)",
            (*work.task, origin, self._clock(), *places),
        ).lastrowid
        assert number is not None  # noqa: S101  always so after an INSERT
        forgotten = "DELETE FROM jobs WHERE id <= ? AND state NOT IN ('queued', 'running')"
        state.execute(forgotten, (number - KEPT,))
        return number

    def _end(self, state: sqlite3.Connection, job: Job, outcome: Outcome) -> None:
        now = self._clock()
        tallies.tally_end(state, job, outcome.state, now)
        error, result = rows.as_text(outcome.error), json.dumps(rows.as_text(outcome.result))
        state.execute(
            "UPDATE jobs SET state = ?, ended = ?, code = ?, error = ?, result = ? WHERE id = ?",
            (outcome.state, now, outcome.code, error, result, job.id),
        )


def _refuse_duplicate(state: sqlite3.Connection, task: Task) -> None:
    for job in _unfinished(state):
        if job.task == task:
            reason = f"{task} is {job.state} already as job {job.id}, asked for by {job.origin}"
            raise RefusedError("duplicate", reason)


def _one(state: sqlite3.Connection, number: int) -> Job:
    row = state.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise StateError(f"job {number} is no longer known: was the state file moved away?")
    return rows.job_of(row)


def _unfinished(state: sqlite3.Connection) -> list[Job]:
    unfinished = "SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY id"
    return [rows.job_of(row) for row in state.execute(unfinished)]
