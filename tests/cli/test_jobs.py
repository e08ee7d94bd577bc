import json
import re
from pathlib import Path

import pytest

from tests.support.jobs.jobs import MAIN, work
from tests.support.programs.exporter import zope_exporter
from zope_exporter.maintenance.jobs.job import Outcome, Task
from zope_exporter.maintenance.jobs.store import JobStore


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    store = JobStore(tmp_path / "state.sqlite3")
    failed = store.add(work(tmp_path, task=Task("intranet", "main", "backup")), "timer")
    store.begin(failed.job.id)
    store.progress(failed.job.id, "copying", 1, 4, ["began", "went on"])
    store.end(failed.job.id, Outcome("failed", "failed", "copying: no space left"))
    failed.lease.end()
    packed = store.add(work(tmp_path, task=MAIN), "token deploy")
    store.begin(packed.job.id)
    store.end(packed.job.id, Outcome("succeeded", result={"freed_bytes": 7}))
    packed.lease.end()
    return store


def test_the_newest_job_comes_first_and_the_dead_are_told(tmp_path: Path, store: JobStore) -> None:
    dead = store.add(work(tmp_path), "shell")
    dead.lease.end()
    run = zope_exporter("jobs", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = [
        re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", "WHEN", line)
        for line in run.stdout.splitlines()
    ]
    assert lines == [
        "3  WHEN  interrupted  pack of main of intranet    shell         its process died, or could"
        " not note how it ended",
        "2  WHEN  succeeded    pack of main of intranet    token deploy  after 0 s",
        "1  WHEN  failed       backup of main of intranet  timer         after 0 s: copying: no"
        " space left",
    ]


def test_all_about_one_job(tmp_path: Path, store: JobStore) -> None:
    assert store.job(1)
    run = zope_exporter("jobs", "1", state_dir=tmp_path)
    lines = run.stdout.splitlines()
    assert lines[0] == "job 1: backup of main of intranet, asked for by timer"
    assert lines[4:] == [
        "state: failed",
        "stage: copying 25%",
        "error: copying: no space left",
        "began",
        "went on",
    ]
    assert zope_exporter("jobs", "9", state_dir=tmp_path).returncode == 1


def test_as_json_they_are_what_the_api_answers(tmp_path: Path, store: JobStore) -> None:
    every = json.loads(zope_exporter("jobs", "--json", state_dir=tmp_path).stdout)
    assert [(job["id"], job["state"]) for job in every] == [(2, "succeeded"), (1, "failed")]
    one = json.loads(zope_exporter("--json", "jobs", "1", state_dir=tmp_path).stdout)
    job = store.job(1)
    assert job
    assert one == json.loads(json.dumps(job.as_json()))


def test_without_any_job_that_is_said(tmp_path: Path) -> None:
    assert zope_exporter("jobs", state_dir=tmp_path).stdout == "nothing was done yet\n"
    assert zope_exporter("jobs", "--json", state_dir=tmp_path).stdout == "[]\n"
