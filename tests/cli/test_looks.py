"""Commands that only look change nothing of what an exporter keeps."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.jobs.jobs import work
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.lookalikes import program, running, zope_instance
from zope_exporter.discovery.memory import Memory
from zope_exporter.maintenance.jobs.store import JobStore

LOOKS = (
    ("check",),
    ("jobs",),
    ("jobs", "1"),
    ("growth", "--since", "1d", "intranet"),
    ("slow", "intranet"),
    ("backups",),
    ("plan", "pack", "intranet"),
)


def contents(directory: Path) -> dict[str, tuple[int, str]]:
    """Everything below a directory, by what tells that it was touched."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (directory, *directory.rglob("*"))
    }


@contextmanager
def unknown_zope(directory: Path) -> Iterator[None]:
    """A Zope that nothing has remembered yet."""
    ini = zope_instance(directory / "new", port=1)
    with running(program(directory / "bin/runwsgi"), ini, cwd=directory):
        yield


def looks(host: Host, state: Path) -> list[str]:
    runs = [zope_exporter(*each, "--config.file", host.config, state_dir=state) for each in LOOKS]
    assert {run.returncode for run in runs} <= {0, 1, 2, 3}, [run.stderr for run in runs]
    return [run.stdout for run in runs]


def test_nothing_is_made_where_no_exporter_ever_ran(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.config.write_text(host.config.read_text().replace("discover: false\n", ""))
    with unknown_zope(tmp_path):
        check, *_ = looks(host, tmp_path / "state")
    assert " new " in check
    assert not (tmp_path / "state").exists()


def test_nothing_is_changed_of_what_was_kept(tmp_path: Path) -> None:
    host, state = Host(tmp_path), tmp_path / "state"
    exporting = serving(state, "--config.file", host.config, log=tmp_path / "log")
    with exporting as exporter:
        eventually(lambda: has_counted(exporter))
    # A job whose process has died: the exporter will note that, who looks only says so.
    JobStore(state / "state.sqlite3").add(work(state), "shell").lease.end()
    (state / "jobs/1.lock").touch()
    before = contents(state)
    host.config.write_text(host.config.read_text().replace("discover: false\n", ""))
    with unknown_zope(tmp_path):
        check, jobs, *_ = looks(host, state)
    assert " new " in check
    assert "interrupted" in jobs
    assert contents(state) == before
    assert Memory(state / "state.sqlite3").load() == ()


def test_nothing_is_changed_beside_an_exporter_that_runs(tmp_path: Path) -> None:
    host, state = Host(tmp_path), tmp_path / "state"
    # It has nothing to watch that moves, so that it has nothing to keep by itself.
    idle = tmp_path / "idle.yml"
    idle.write_text(
        "discover: false\nsites: [{name: a, ping: [{name: a, url: 'http://[::1]:1/'}]}]"
    )
    with serving(state, "--config.file", idle, log=tmp_path / "log") as exporter:
        for _ in range(2):
            assert exporter.page()
        host.config.write_text(host.config.read_text().replace("discover: false\n", ""))
        before = contents(state)
        with unknown_zope(tmp_path):
            check, *_ = looks(host, state)
        assert " new " in check
        assert contents(state) == before
    assert Memory(state / "state.sqlite3").load() == ()


def test_where_no_exporter_runs_it_can_be_told_to_remember(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with unknown_zope(tmp_path):
        zope_exporter("check", "--remember", state_dir=state)
    run = zope_exporter("check", "--remember", "--quiet", state_dir=state)
    assert run.returncode == 2
    assert [line for line in run.stdout.splitlines() if " new " in line], run.stdout


def has_counted(exporter: Running) -> bool:
    """Whether the exporter has done what it does but once."""
    return exporter.value("zope_filestorage_objects", site="intranet", database="main") is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what it may not")
def test_what_a_killed_writer_left_is_undone_in_the_copy(tmp_path: Path) -> None:
    host, state = Host(tmp_path), tmp_path / "state"
    state.mkdir()
    assert JobStore(state / "state.sqlite3").jobs() == []
    file, journal = state / "state.sqlite3", state / "state.sqlite3-journal"
    pid = os.fork()
    if pid == 0:  # pragma: no cover - dies in the middle
        import sqlite3

        open_one = sqlite3.connect(file, isolation_level=None)
        open_one.execute("PRAGMA cache_size = 1")
        open_one.execute("BEGIN IMMEDIATE")
        open_one.execute("CREATE TABLE much (text)")
        for _ in range(200):
            open_one.execute("INSERT INTO much VALUES (?)", ("x" * 4000,))
        os._exit(0)
    os.waitpid(pid, 0)
    assert journal.stat().st_size > 0
    before = contents(state)
    run = zope_exporter("jobs", "--config.file", host.config, state_dir=state)
    assert (run.returncode, run.stdout) == (0, "nothing was done yet\n"), run.stderr
    assert contents(state) == before
