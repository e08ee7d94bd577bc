"""Jobs of real processes: killed, ended, two at once, and seen by an exporter."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs.exporter import DEADLINE, serving
from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.maintenance.jobs.store import JobStore

Running = subprocess.Popen[str]
MAIN = {"site": "intranet", "database": "main"}


@pytest.fixture
def var(tmp_path: Path) -> Path:
    directory = tmp_path / "var"
    directory.mkdir()
    (directory / "Data.fs").touch()
    return directory


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


@contextmanager
def shell(state: Path, var: Path, action: str, wait: str = "0") -> Iterator[Running]:
    """A shell that runs a job, killed in the end."""
    arguments = [str(state), str(var), action, wait]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.jobs.job_process", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(process: Running) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"


def go_on(process: Running) -> None:
    process.communicate("\n", timeout=DEADLINE)


def jobs(state: Path) -> list[Job]:
    store = JobStore(state / "state.sqlite3")
    store.reap()
    return store.jobs()


def locked(var: Path) -> bool:
    return subprocess.run(["flock", "-n", var, "true"], check=False).returncode != 0


def test_cron_and_the_job_exclude_each_other(state: Path, var: Path) -> None:
    with shell(state, var, "backup") as process:
        begun(process)
        assert locked(var)
        go_on(process)
        assert process.returncode == 0
    assert not locked(var)
    with subprocess.Popen(
        ["flock", var, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as cron:
        assert cron.stdin
        assert cron.stdout
        cron.stdin.write(b"locked\n")
        cron.stdin.flush()
        assert cron.stdout.readline() == b"locked\n"
        with shell(state, var, "backup") as process:
            _, said = process.communicate(timeout=DEADLINE)
        assert process.returncode == 3
        assert f"process {cron.pid} (flock) holds the lock of the database" in said
    assert [job.state for job in jobs(state)] == ["refused", "succeeded"]


def test_a_killed_job_is_interrupted_at_the_next_start_and_its_remains_are_named(
    state: Path, var: Path
) -> None:
    (var / "Data.fs.pack").write_bytes(b"x" * 1000)
    with shell(state, var, "pack") as process:
        begun(process)
        process.kill()
    assert not locked(var)
    with serving(state, log=state / "log") as exporter:
        assert exporter.value("zope_action_running", **MAIN, action="pack") == 0
        assert exporter.value("zope_action_failures_total", **MAIN, action="pack") == 1
    (job,) = jobs(state)
    assert (job.state, job.code) == ("interrupted", "died")
    assert "Data.fs.pack (1 kB), which the next pack overwrites" in job.error


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_job_where_that_does_no_harm(
    state: Path, var: Path, number: signal.Signals
) -> None:
    with shell(state, var, "pack") as process:
        begun(process)
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE)
        assert process.returncode == 4
    assert "zope-exporter was stopped" in said
    assert [(job.state, job.code) for job in jobs(state)] == [("interrupted", "stopped")]


def test_two_at_once_run_one_after_the_other_or_not_at_all(state: Path, var: Path) -> None:
    with shell(state, var, "pack") as first:
        begun(first)
        with shell(state, var, "backup", "60") as second, shell(state, var, "pack") as same:
            _, said = same.communicate(timeout=DEADLINE)
            assert same.returncode == 3
            assert "running already as job 1" in said
            let_go = time.time()
            go_on(first)
            begun(second)
            go_on(second)
        assert (first.returncode, second.returncode) == (0, 0)
    found = {job.task.action: job for job in jobs(state)}
    # Not when the first ended, which is noted when its lock is free already.
    assert let_go <= (found["backup"].begun or 0)


def test_an_exporter_shows_what_the_shell_does(state: Path, var: Path) -> None:
    with serving(state, log=state / "log") as exporter, shell(state, var, "backup") as process:
        begun(process)
        assert exporter.value("zope_action_running", **MAIN, action="backup") == 1
        assert exporter.value("zope_action_progress_ratio", **MAIN, action="backup") == 0
        process.kill()
        process.wait()
        assert exporter.value("zope_action_running", **MAIN, action="backup") == 0
        assert exporter.value("zope_action_runs_total", **MAIN, action="backup") == 1
