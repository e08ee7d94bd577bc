"""What is counted of actions over all jobs, those included that the history has forgotten."""

from dataclasses import dataclass
from sqlite3 import Connection

from .job import UNSUCCESSFUL, Job, State, Task

TABLE = """
CREATE TABLE IF NOT EXISTS job_tallies (
    site TEXT NOT NULL,
    database TEXT NOT NULL,
    action TEXT NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    unsuccessful INTEGER NOT NULL DEFAULT 0,
    last_begun REAL,
    last_success REAL,
    last_failure REAL,
    last_duration REAL,
    PRIMARY KEY (site, database, action)
)
"""


@dataclass(frozen=True)
class JobTally:
    """How many jobs of a task ended, and how many of these without success.

    `last_success` and `last_failure` are when one ended, in seconds since the epoch;
    `last_duration` is that of the last one that succeeded, in seconds.
    """

    task: Task
    ended: int = 0
    unsuccessful: int = 0
    last_success: float | None = None
    last_failure: float | None = None
    last_duration: float | None = None


def read_tallies(state: Connection) -> list[JobTally]:
    """Return the tallies of every task that was ever asked for."""
    query = (
        "SELECT site, database, action, ended, unsuccessful, last_success, last_failure,"
        " last_duration FROM job_tallies"
    )
    return [JobTally(Task(*row[:3]), *row[3:]) for row in state.execute(query)]


def last_begin(state: Connection, task: Task) -> float | None:
    """Return when the last job of the task that was not refused began to run (epoch seconds)."""
    query = "SELECT last_begun FROM job_tallies WHERE site = ? AND database = ? AND action = ?"
    row = state.execute(query, task).fetchone()
    return None if row is None else row["last_begun"]


def tally_request(state: Connection, task: Task) -> None:
    """Have a tally of the task from now on."""
    insert = "INSERT OR IGNORE INTO job_tallies (site, database, action) VALUES (?, ?, ?)"
    state.execute(insert, task)


def tally_end(state: Connection, job: Job, end: State, now: float) -> None:
    if job.begun is not None and end != "refused":  # a refused one has touched nothing
        state.execute(
            "UPDATE job_tallies SET last_begun = ? WHERE site = ? AND database = ? AND action = ?",
            (job.begun, *job.task),
        )
    if end in UNSUCCESSFUL:
        state.execute(
            "UPDATE job_tallies SET ended = ended + 1, unsuccessful = unsuccessful + 1,"
            " last_failure = ? WHERE site = ? AND database = ? AND action = ?",
            (now, *job.task),
        )
    else:
        took = max(0.0, now - (job.begun or now))
        state.execute(
            "UPDATE job_tallies SET ended = ended + 1, last_success = ?, last_duration = ?"
            " WHERE site = ? AND database = ? AND action = ?",
            (now, took, *job.task),
        )
