"""Programs around a backup: their end is the job's, and they are bounded."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.repository import Noted
from zope_exporter.maintenance.actions.commands import Order, run_command, surrounded
from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError

SECRET = "geheim123"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def python(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text, *arguments]


def order(stage: str, command: Sequence[str], result: str, timeout: float = 60.0) -> Order:
    return Order(stage, command, timeout, {"ZOPE_EXPORTER_RESULT": result})


def test_the_end_of_what_a_program_writes_is_kept_and_its_arguments_are_not() -> None:
    report = Noted()
    text = "for number in range(1000): print(number, 'x' * 100)"
    run_command(order("before", python(text, SECRET), ""), report)
    assert len(report.lines) == 21
    assert report.lines[-2].startswith("python")
    assert report.lines[-2].endswith("x" * 100)
    assert report.lines[-1].endswith("ended with status 0")
    assert not any(SECRET in line for line in report.lines)


@pytest.mark.parametrize(
    ("text", "timeout", "reason"),
    [
        ("print('no room'); raise SystemExit(7)", 60.0, "ended with status 7"),
        ("import os; os.kill(os.getpid(), 9)", 60.0, "was ended by signal 9"),
        ("input()", 60.0, "ended with status 1"),
        ("import threading; threading.Event().wait()", 0.5, "did not end within 0 s"),
        ("while True: print('x' * 100000)", 60.0, "wrote more than 16.8 MB"),
    ],
    ids=["status", "signal", "no input", "too long", "too much"],
)
def test_any_other_end_is_a_failure_of_its_stage(text: str, timeout: float, reason: str) -> None:
    with pytest.raises(ActionError) as failed:
        run_command(order("before", python(text, SECRET), "", timeout), Noted())
    assert failed.value.stage == "before"
    assert reason in failed.value.reason
    assert SECRET not in str(failed.value)


def test_what_cannot_be_started_is_a_failure() -> None:
    with pytest.raises(ActionError, match="missing ended with status"):
        run_command(order("before", ["/nowhere/missing"], ""), Noted())


def test_it_ends_when_the_job_is_told_to() -> None:
    class Told(Noted):
        def check(self) -> None:
            raise InterruptedActionError("before", "told to end")

    with pytest.raises(InterruptedActionError):
        run_command(
            order("before", python("import threading; threading.Event().wait()"), ""), Told()
        )


@pytest.mark.parametrize("fails", [False, True])
def test_after_is_run_however_the_backup_ended(tmp_path: Path, fails: bool) -> None:
    text = "import os, sys; open(sys.argv[1], 'a').write(os.environ['ZOPE_EXPORTER_RESULT'])"
    after = python(text, str(tmp_path / "after"))
    within = partial(surrounded, order, (), after, Noted())
    if fails:
        with pytest.raises(ActionError, match="copying: no room"), within():
            raise ActionError("copying", "no room")
    else:
        with within():
            pass
    assert (tmp_path / "after").read_text() == ("failed" if fails else "succeeded")


def test_without_a_good_end_of_before_nothing_follows(host: Host, tmp_path: Path) -> None:
    text = host.config.read_text()
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $ZOPE_EXPORTER_SITE says $2 >> {tmp_path}/ran\nexit $1\n")
    script.chmod(0o700)

    def configure(before: int, after: int) -> None:
        commands = f"before: [{script}, '{before}', be], after: [{script}, '{after}', {SECRET}]"
        host.config.write_text(
            text.replace("repository: backups", f"repository: backups, {commands}")
        )

    configure(3, 0)
    run = host.run("backup")
    assert run.returncode == 1
    assert "before: script ended with status 3" in run.stderr
    assert not host.repository.exists()
    assert (tmp_path / "ran").read_text() == "intranet says be\n"
    configure(0, 0)
    assert host.run("backup").returncode == 0
    configure(0, 4)
    assert "after: script ended with status 4" in host.run("backup").stderr
    first, second, third = host.jobs()
    assert (first.state, first.stage) == ("failed", "before")
    assert (second.result["before_status"], second.result["after_status"]) == (0, 0)
    assert (third.state, third.stage) == ("failed", "after")
    assert not any(SECRET in str(job) for job in host.jobs())
