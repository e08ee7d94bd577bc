"""Threads of jobs that die of something nobody has thought of."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.jobs.jobs import MAIN, Gate, ListedWork, work
from tests.support.programs.processes import eventually
from zope_exporter.maintenance.jobs.job import Facts, Job, Outcome, Task, Work
from zope_exporter.maintenance.jobs.lock import LockPath, Patience, locked
from zope_exporter.maintenance.jobs.report import Report, Silent
from zope_exporter.maintenance.jobs.runner import Runner
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.system.state import StateError

BACKUP = Task("intranet", "main", "backup")


class OfNoKindError(BaseException):
    """What no `except Exception` catches, like the GreenletExit and Cancelled of libraries."""


DEATHS = [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), OfNoKindError("odd"), MemoryError()]


class Raises:
    """Raises an error when it is first called, and then none."""

    def __init__(self, error: BaseException) -> None:
        self._errors = [error]

    def __call__(self) -> None:
        if self._errors:
            raise self._errors.pop()


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "state.sqlite3")


def queue(runner: Runner, *tasks: Task) -> list[int]:
    numbers = []
    for task in tasks:
        submission = runner.submit(task.action, task.site, task.database, "token deploy")
        assert submission.job is not None, submission
        numbers.append(submission.job.id)
    return numbers


def ended(runner: Runner, number: int) -> Job:
    def look() -> Job | None:
        job = runner.job(number)
        return job if job and job.ended else None

    job = eventually(look)
    assert job is not None
    return job


def failures(store: JobStore, task: Task = MAIN) -> int:
    return {tally.task: tally.unsuccessful for tally in store.summary()[0]}[task]


def let_go(directory: Path, path: LockPath) -> None:
    """Return once no lease is held; RefusedError if the lock of the database still is."""
    eventually(lambda: not list((directory / "jobs").iterdir()))
    with locked(path, Patience(), Silent()):
        pass


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: type(death).__name__)
def test_whatever_an_action_dies_of_the_job_has_failed_and_the_next_has_its_turn(
    store: JobStore, tmp_path: Path, death: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    def dies(report: Report) -> Facts:
        gate(report)
        raise death

    runner = Runner(ListedWork(work(tmp_path, dies), work(tmp_path, task=BACKUP)), store)
    first, second = queue(runner, MAIN, BACKUP)
    gate.go_on.set()
    assert ended(runner, second).state == "succeeded"
    dead = ended(runner, first)
    assert (dead.state, dead.code) == ("failed", "unexpected")
    assert type(death).__name__ in dead.error
    assert failures(store) == 1
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    let_go(tmp_path, work(tmp_path).lock)
    assert ended(runner, *queue(runner, MAIN)).code == "unexpected", "and may be asked for again"


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: type(death).__name__)
def test_a_thread_that_dies_before_its_job_begins_does_not_leave_it_queued(
    store: JobStore, tmp_path: Path, death: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    works = work(tmp_path), work(tmp_path, gate, BACKUP)
    runner = Runner(ListedWork(*works), store, lower_priority=Raises(death))
    first, second = queue(runner, MAIN, BACKUP)
    gate.go_on.set()
    dead = ended(runner, first)
    assert (dead.state, dead.code, dead.begun) == ("failed", "unexpected", None)
    assert type(death).__name__ in dead.error
    assert failures(store) == 1
    assert str(MAIN) in caplog.text
    assert ended(runner, second).state == "succeeded"
    let_go(tmp_path, works[0].lock)


class OddPath(LockPath):
    """One that cannot be looked up once when it is told so."""

    look_up: Callable[[], None] = staticmethod(lambda: None)

    def __hash__(self) -> int:
        self.look_up()
        return super().__hash__()


def test_a_queue_that_cannot_go_on_is_given_up_as_a_whole_and_begins_anew(
    store: JobStore, tmp_path: Path
) -> None:
    path = OddPath(tmp_path, tmp_path / "fallback.lock")

    def damages(report: Report) -> Facts:
        gate(report)
        object.__setattr__(path, "look_up", Raises(MemoryError()))
        return {}

    gate = Gate()
    works = Work(MAIN, damages, path), Work(BACKUP, lambda _: {}, path)
    runner = Runner(ListedWork(*works), store)
    first, second = queue(runner, MAIN, BACKUP)
    gate.go_on.set()
    assert ended(runner, first).state == "succeeded"
    assert (ended(runner, second).state, ended(runner, second).code) == ("failed", "unexpected")
    assert failures(store, BACKUP) == 1
    assert ended(runner, *queue(runner, BACKUP)).state == "succeeded"


class LockedAtTheEnd(JobStore):
    """A state file that somebody else holds whenever a job has ended here."""

    held = True

    def end(self, number: int, outcome: Outcome) -> None:
        if self.held:
            raise StateError("state.sqlite3: database is locked")
        super().end(number, outcome)


def test_an_end_that_could_not_be_noted_is_counted_by_the_next_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    store = LockedAtTheEnd(tmp_path / "state.sqlite3")
    runner = Runner(ListedWork(work(tmp_path, gate), work(tmp_path, task=BACKUP)), store)
    first, second = queue(runner, MAIN, BACKUP)
    gate.go_on.set()
    let_go(tmp_path, work(tmp_path).lock)
    assert "cannot be kept" in caplog.text
    assert failures(store) == 0
    store.held = False
    assert ended(runner, first).code == ended(runner, second).code == "died"
    assert (failures(store), failures(store, BACKUP)) == (1, 1)
