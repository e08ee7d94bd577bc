import os
import threading
from pathlib import Path

import pytest

from tests.support.faults.rights import NOBODY
from tests.support.jobs.jobs import MAIN, nothing, work
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.maintenance.jobs.job import Outcome, Paths
from zope_exporter.maintenance.jobs.lock import LockPath, Patience, locked
from zope_exporter.maintenance.jobs.report import RefusedError, Silent
from zope_exporter.maintenance.jobs.store import KEPT, JobStore
from zope_exporter.system.state import StateError, open_state

# A process that has a job of the action given, which runs.
RUN = """
import sys
from pathlib import Path
from zope_exporter.maintenance.jobs.job import Paths, Task
from zope_exporter.maintenance.jobs.lock import LockPath
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.maintenance.jobs.job import Work
state, data_fs, repository, action = sys.argv[1:]
path = LockPath(None, Path(state + ".lock"))
paths = Paths(Path(data_fs), Path(repository))
store = JobStore(Path(state))
pending = store.add(Work(Task("intranet", "main", action), dict, path, paths), "shell")
store.begin(pending.job.id)
print("ready", flush=True)
sys.stdin.read()
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> JobStore:
    return JobStore(tmp_path / "state.sqlite3", clock=clock)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    directory = tmp_path / "var"
    directory.mkdir()
    return directory


def test_a_job_is_kept_as_it_goes_on(store: JobStore, clock: Clock, tmp_path: Path) -> None:
    pending = store.add(work(tmp_path, nothing), "token deploy")
    number = pending.job.id
    clock.now += 1
    store.begin(number)
    store.progress(number, "copying", 3, 10, ["one", "two"])
    clock.now += 60
    store.end(number, Outcome("succeeded", result={"freed_bytes": 7}))
    pending.lease.end()
    (job,) = store.jobs()
    assert job == store.job(number)
    assert job.as_json() == {
        "id": 1,
        "site": "intranet",
        "database": "main",
        "action": "pack",
        "origin": "token deploy",
        "state": "succeeded",
        "queued": 1_800_000_000.0,
        "begun": 1_800_000_001.0,
        "ended": 1_800_000_061.0,
        "stage": "copying",
        "done": 3,
        "total": 10,
        "log": ["one", "two"],
        "code": "",
        "error": "",
        "result": {"freed_bytes": 7},
    }
    (tally,), unfinished = store.summary()
    assert (tally.ended, tally.unsuccessful, tally.last_duration) == (1, 0, 60)
    assert unfinished == []


def test_the_first_end_counts(store: JobStore, tmp_path: Path) -> None:
    pending = store.add(work(tmp_path), "shell")
    store.end(pending.job.id, Outcome("interrupted", "abandoned", "we had to go"))
    store.end(pending.job.id, Outcome("succeeded"))
    pending.lease.end()
    assert [job.state for job in store.jobs()] == ["interrupted"]
    assert [tally.ended for tally in store.summary()[0]] == [1]


def test_the_same_twice_is_refused_by_the_name_of_the_first(
    store: JobStore, tmp_path: Path
) -> None:
    pending = store.add(work(tmp_path), "shell")
    with pytest.raises(RefusedError, match="queued already as job 1, asked for by shell") as second:
        store.add(work(tmp_path), "token deploy")
    assert second.value.code == "duplicate"
    pending.lease.end()


def test_what_began_within_the_cooldown_is_refused(
    store: JobStore, clock: Clock, tmp_path: Path
) -> None:
    def run(cooldown: float) -> None:
        pending = store.add(work(tmp_path), "shell", cooldown)
        store.begin(pending.job.id)
        store.end(pending.job.id, Outcome("failed", "failed", "no room"))
        pending.lease.end()

    run(3600)
    clock.now += 3599
    with pytest.raises(RefusedError, match="began 60 min ago, within the cooldown") as refused:
        run(3600)
    assert refused.value.code == "cooldown"
    clock.now += 1
    run(3600)
    clock.now -= 365 * 86400
    run(3600)


def test_a_refused_job_does_not_start_the_cooldown(store: JobStore, tmp_path: Path) -> None:
    for _ in range(2):
        pending = store.add(work(tmp_path), "alert ZopePackOverdue", 3600)
        store.begin(pending.job.id)
        store.end(pending.job.id, Outcome("refused", "busy", "another process has the lock"))
        pending.lease.end()
    assert [tally.unsuccessful for tally in store.summary()[0]] == [2]


def test_counters_outlive_the_history(store: JobStore, tmp_path: Path) -> None:
    pending = store.add(work(tmp_path), "shell")
    store.end(pending.job.id, Outcome("succeeded"))
    pending.lease.end()
    assert store.job(1)
    later = store.add(work(tmp_path), "shell")
    with open_state(tmp_path / "state.sqlite3") as state:  # a thousand jobs take too long
        state.execute("UPDATE jobs SET id = ? WHERE id = ?", (KEPT + 1, later.job.id))
    later.lease.end()
    store.reap()
    last = store.add(work(tmp_path), "shell")
    assert [job.id for job in store.jobs()] == [KEPT + 2, KEPT + 1]
    last.lease.end()
    assert [tally.ended for tally in store.summary()[0]] == [2]


@pytest.mark.parametrize("action", ["pack", "backup", "verify"])
def test_a_killed_job_is_interrupted_and_its_remains_are_named(
    store: JobStore, tmp_path: Path, var: Path, action: str
) -> None:
    data_fs, repository = var / "Data.fs", tmp_path / "backups"
    repository.mkdir()
    data_fs.write_bytes(b"FS21")
    (var / "Data.fs.pack").write_bytes(b"x" * 2000)
    (repository / "new.tmp").write_bytes(b"x" * 3000)
    arguments = map(str, (tmp_path / "state.sqlite3", data_fs, repository, action))
    with child(RUN, *arguments) as running:
        lines_until_ready(running)
        store.reap()
        assert [job.state for job in store.jobs()] == ["running"]
        running.kill()
        running.wait()
    store.reap()
    (job,) = store.jobs()
    assert (job.state, job.code) == ("interrupted", "died")
    assert ("Data.fs.pack (2 kB), which the next pack overwrites" in job.error) == (
        action == "pack"
    )
    assert ("new.tmp (3 kB)" in job.error) == (action != "pack")
    assert list((tmp_path / "jobs").iterdir()) == []
    store.add(work(tmp_path, task=MAIN), "shell").lease.end()  # and nothing stands in the way


def test_a_pack_killed_between_its_renames_is_rescued_before_zope_starts(
    store: JobStore, var: Path
) -> None:
    (var / "Data.fs.pack").touch()
    (var / "Data.fs.old").touch()
    pending = store.add(work(var, paths=Paths(var / "Data.fs")), "shell")
    pending.lease.end()
    store.reap()
    (job,) = store.jobs()
    assert f"{var}/Data.fs is missing: do not start Zope or ZEO" in job.error
    assert f"first run zope-exporter recover {var}/Data.fs --rescue-pack" in job.error


def test_many_ask_at_once_and_one_gets_it(store: JobStore, tmp_path: Path) -> None:
    got: list[object] = []

    def ask() -> None:
        try:
            got.append(store.add(work(tmp_path), "shell"))
        except RefusedError as refused:
            got.append(refused.code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count("duplicate") == 7


def test_without_a_state_file_nothing_is_begun(tmp_path: Path) -> None:
    store = JobStore(None, "no state can be kept: give state_dir another directory")
    with pytest.raises(StateError, match="give state_dir another"):
        store.add(work(tmp_path), "shell")


def test_what_root_does_in_the_shell_does_not_lock_the_exporter_out(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    path = LockPath(None, directory / "locks/main.lock")
    pending = JobStore(directory / "state.sqlite3").add(work(tmp_path), "shell")
    with locked(path, Patience(), Silent()):
        made = list(directory.rglob("*"))
        assert len(made) == 5
        assert {path.stat().st_uid for path in made} == {directory.stat().st_uid}
    pending.lease.end()
