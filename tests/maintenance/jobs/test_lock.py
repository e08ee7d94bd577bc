import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.maintenance.jobs.lock import LockPath, Patience, holder, locked
from zope_exporter.maintenance.jobs.report import RefusedError, Silent

LOCKER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


class Told(Silent):
    """A report that remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def stage(self, name: str, _: int = 0) -> None:
        self.lines.append(name)


@pytest.fixture
def path(tmp_path: Path) -> LockPath:
    directory = tmp_path / "var"
    directory.mkdir()
    return LockPath(directory, tmp_path / "locks/main.lock")


def flock_gets(directory: Path) -> bool:
    return subprocess.run(["flock", "-n", directory, "true"], check=False).returncode == 0


def test_cron_with_flock_is_kept_away_until_the_end(path: LockPath) -> None:
    assert path.directory is not None
    with locked(path, Patience(), Silent()):
        assert not flock_gets(path.directory)
    assert flock_gets(path.directory)


def test_a_held_lock_is_a_refusal_that_names_the_holder(path: LockPath) -> None:
    with (
        child(LOCKER, str(path.directory)) as other,
        ExitStack() as stack,
    ):
        lines_until_ready(other)
        with pytest.raises(RefusedError, match=rf"process {other.pid} \(python") as refused:
            stack.enter_context(locked(path, Patience(), Silent()))
    assert refused.value.code == "busy"


def test_it_is_waited_for_with_patience(path: LockPath) -> None:
    told = Told()
    with child(LOCKER, str(path.directory)) as other:
        lines_until_ready(other)

        def pause(_: float) -> None:
            other.kill()
            other.wait()

        with locked(path, Patience(60, pause), told):
            pass
    assert told.lines[0].startswith(f"waiting for process {other.pid} ")


def test_it_outlives_the_exchange_of_the_data_fs(path: LockPath) -> None:
    assert path.directory is not None
    data_fs = path.directory / "Data.fs"
    data_fs.write_bytes(b"old")
    with locked(path, Patience(), Silent()):
        data_fs.rename(data_fs.with_name("Data.fs.old"))
        data_fs.write_bytes(b"new")
        assert not flock_gets(path.directory)
    assert sorted(entry.name for entry in path.directory.iterdir()) == ["Data.fs", "Data.fs.old"]


@pytest.mark.parametrize("directory", [None, "missing"])
def test_without_a_directory_a_file_of_ours_is_locked(
    tmp_path: Path, directory: str | None
) -> None:
    path = LockPath(tmp_path / directory if directory else None, tmp_path / "locks/main.lock")
    told = Told()
    second = ExitStack()
    with locked(path, Patience(), told), pytest.raises(RefusedError, match="holds the lock"):
        second.enter_context(locked(path, Patience(), Silent()))
    assert len(told.lines) == (1 if directory else 0)
    assert all("cannot be locked (No such file or directory)" in line for line in told.lines)


def test_a_directory_that_may_not_be_read_is_said_to_be_unlocked() -> None:
    told = Told()
    with public_directory() as public:
        (public / "var").mkdir(mode=0o311)
        (public / "locks").mkdir()
        (public / "locks").chmod(0o777)
        path = LockPath(public / "var", public / "locks/main.lock")
        with unprivileged(), locked(path, Patience(), told):
            pass
    assert ["cannot be locked (Permission denied)" in line for line in told.lines] == [True]


def test_a_holder_that_nobody_can_name(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("1: POSIX  ADVISORY  WRITE 1 00:01:1 0 EOF\n")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert holder(descriptor, tmp_path) == "another process"
    finally:
        os.close(descriptor)
