import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.jobs.jobs import MAIN, Gate, ListedWork, work
from tests.support.programs.processes import eventually
from zope_exporter.maintenance.jobs.job import Facts, Job, Task
from zope_exporter.maintenance.jobs.lock import Patience, locked
from zope_exporter.maintenance.jobs.report import (
    ActionError,
    RefusedError,
    Report,
    Silent,
    UncertainError,
)
from zope_exporter.maintenance.jobs.runner import Runner
from zope_exporter.maintenance.jobs.store import JobStore

BACKUP = Task("intranet", "main", "backup")
CATALOG = Task("intranet", "catalog", "pack")


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "state.sqlite3")


@pytest.fixture
def gates() -> Iterator[list[Gate]]:
    gates = [Gate(), Gate(), Gate()]
    yield gates
    for gate in gates:
        gate.go_on.set()


def ended(runner: Runner, number: int) -> Job:
    def look() -> Job | None:
        job = runner.job(number)
        return job if job and job.ended else None

    job = eventually(look)
    assert job is not None
    return job


def submitted(runner: Runner, task: Task) -> int:
    submission = runner.submit(task.action, task.site, task.database, "token deploy")
    assert submission.job is not None, submission
    return submission.job.id


def directory(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def test_one_at_a_time_for_a_database_and_all_databases_at_once(
    store: JobStore, tmp_path: Path, gates: list[Gate]
) -> None:
    var, other = directory(tmp_path, "var"), directory(tmp_path, "other")
    pack, backup, catalog = gates
    runner = Runner(
        ListedWork(work(var, pack), work(var, backup, BACKUP), work(other, catalog, CATALOG)),
        store,
    )
    numbers = [submitted(runner, task) for task in (MAIN, BACKUP, CATALOG)]
    assert pack.begun.wait(60)
    assert catalog.begun.wait(60)
    assert not backup.begun.is_set()
    states = {job.id: job.state for job in runner.jobs()}
    assert [states[number] for number in numbers] == ["running", "queued", "running"]
    pack.go_on.set()
    assert backup.begun.wait(60)
    assert ended(runner, numbers[0]).result == {"freed_bytes": 5}
    for gate in gates:
        gate.go_on.set()
    assert [ended(runner, number).state for number in numbers] == ["succeeded"] * 3


def test_progress_and_log_are_seen_while_it_runs(store: JobStore, tmp_path: Path) -> None:
    gate = Gate()

    def run(report: Report) -> Facts:
        report.say("looking for room")
        return gate(report)

    runner = Runner(ListedWork(work(tmp_path, run)), store)
    number = submitted(runner, MAIN)
    assert gate.begun.wait(60)
    job = runner.job(number)
    assert job is not None
    assert (job.stage, job.total, job.log) == ("waiting in the test", 100, ("looking for room",))
    gate.go_on.set()
    assert ended(runner, number).done == 25


def test_unknown_duplicate_and_cooldown_are_named(
    store: JobStore, tmp_path: Path, gates: list[Gate]
) -> None:
    runner = Runner(ListedWork(work(tmp_path, gates[0], cooldown=3600)), store)
    number = submitted(runner, MAIN)
    assert gates[0].begun.wait(60)
    assert runner.submit("backup", "intranet", "main", "x").refusal == "unknown"
    assert runner.submit(*reversed_task(MAIN), "x").refusal == "duplicate"
    gates[0].go_on.set()
    ended(runner, number)
    assert runner.submit(*reversed_task(MAIN), "x").refusal == "cooldown"
    assert len(runner.jobs()) == 1


def reversed_task(task: Task) -> tuple[str, str, str]:
    return task.action, task.site, task.database


@pytest.mark.parametrize(
    ("error", "state", "code", "said"),
    [
        (ActionError("copying", "no space left"), "failed", "failed", "copying: no space left"),
        (RefusedError("room", "3 GB are missing"), "refused", "room", "3 GB are missing"),
        (UncertainError("packing", "the server is gone"), "interrupted", "unknown", "is gone"),
        (OSError(28, "full", "/tmp"), "failed", "unexpected", "syncing: OSError: [Errno 28] full"),
    ],
)
def test_how_it_failed_is_kept(
    store: JobStore, tmp_path: Path, error: Exception, state: str, code: str, said: str
) -> None:
    def run(report: Report) -> Facts:
        report.stage("syncing")
        raise error

    runner = Runner(ListedWork(work(tmp_path, run)), store)
    job = ended(runner, submitted(runner, MAIN))
    assert (job.state, job.code) == (state, code)
    assert said in job.error
    with locked(work(tmp_path).lock, Patience(), Silent()):
        pass


def test_a_lock_held_by_others_is_waited_for(store: JobStore, tmp_path: Path) -> None:
    gate = Gate()
    runner = Runner(ListedWork(work(tmp_path, gate)), store)
    with locked(work(tmp_path).lock, Patience(), Silent()):
        number = submitted(runner, MAIN)
        job = eventually(lambda: next((job for job in runner.jobs() if job.stage), None))
        assert job is not None
        assert job.state == "queued"
        assert "which holds the lock of the database" in job.stage
    gate.go_on.set()
    assert ended(runner, number).state == "succeeded"


def test_a_lock_held_for_too_long_is_a_refusal(store: JobStore, tmp_path: Path) -> None:
    runner = Runner(ListedWork(work(tmp_path)), store, patience=0)
    with locked(work(tmp_path).lock, Patience(), Silent()):
        job = ended(runner, submitted(runner, MAIN))
    assert (job.state, job.code) == ("refused", "busy")


def test_stop_ends_jobs_where_they_can_and_interrupts_the_queue(
    store: JobStore, tmp_path: Path, gates: list[Gate]
) -> None:
    runner = Runner(ListedWork(work(tmp_path, gates[0]), work(tmp_path, gates[1], BACKUP)), store)
    submitted(runner, MAIN)
    submitted(runner, BACKUP)
    assert gates[0].begun.wait(60)
    runner.stop()
    assert [(job.state, job.code) for job in store.jobs()] == [("interrupted", "stopped")] * 2
    assert "zope-exporter was stopped" in store.jobs()[1].error
    assert not gates[1].begun.is_set()
    assert runner.submit(*reversed_task(MAIN), "x").refusal == "stopping"


def test_a_job_that_cannot_end_is_given_up_but_not_lost(
    store: JobStore, tmp_path: Path, gates: list[Gate]
) -> None:
    def swap(report: Report) -> Facts:
        report.stage("putting the new file in place")
        gates[0].begun.set()
        gates[0].go_on.wait(60)
        return {}

    runner = Runner(ListedWork(work(tmp_path, swap)), store)
    number = submitted(runner, MAIN)
    assert gates[0].begun.wait(60)
    runner.stop(timeout=0.1)
    job = store.job(number)
    assert job is not None
    assert (job.state, job.code, job.stage) == (
        "interrupted",
        "abandoned",
        "putting the new file in place",
    )


def test_a_job_whose_state_file_is_moved_away_does_not_stop_the_next(
    store: JobStore, tmp_path: Path, gates: list[Gate]
) -> None:
    works = work(tmp_path, gates[0]), work(tmp_path, gates[1], BACKUP)
    runner = Runner(ListedWork(*works), store)
    submitted(runner, MAIN)
    assert gates[0].begun.wait(60)
    (tmp_path / "state.sqlite3").unlink()
    assert runner.jobs() == []
    gates[0].go_on.set()
    eventually(lambda: not list((tmp_path / "jobs").iterdir()))
    number = submitted(runner, BACKUP)
    assert gates[1].begun.wait(60)
    gates[1].go_on.set()
    assert ended(runner, number).state == "succeeded"


def test_names_that_are_no_text_neither_end_the_queue_nor_the_job(
    store: JobStore, tmp_path: Path
) -> None:
    """Names of files need not be UTF-8, and whoever can write to a repository chooses them."""
    name = os.fsdecode(b"\xff.manifest")

    def tells(report: Report) -> Facts:
        report.stage(f"looking at {name}")
        report.say(f"{name} is odd")
        raise ActionError("verifying", f"{name}: the piece it is about is missing")

    runner = Runner(ListedWork(work(directory(tmp_path, "var"), tells)), store)
    for _ in range(2):
        job = ended(runner, submitted(runner, MAIN))
        assert (job.state, job.code) == ("failed", "failed")
        assert "\\udcff.manifest" in job.error
        json.dumps(job.as_json(), ensure_ascii=False).encode()


def test_a_job_lets_the_site_go_first_and_the_exporter_does_not(
    store: JobStore, tmp_path: Path
) -> None:
    def priority(_: Report) -> Facts:
        with ThreadPoolExecutor(1) as pool:
            threads = threading.get_native_id(), pool.submit(threading.get_native_id).result()
            return {"niceness": [os.getpriority(os.PRIO_PROCESS, each) for each in threads]}

    before = os.getpriority(os.PRIO_PROCESS, 0)
    runner = Runner(ListedWork(work(directory(tmp_path, "var"), priority)), store)
    job = ended(runner, submitted(runner, MAIN))
    assert job.result == {"niceness": [max(10, before)] * 2}
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
