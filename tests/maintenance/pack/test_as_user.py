"""What of root's rights is left to whom a pack is run as: nothing."""

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.databases.packing import make_database
from tests.support.faults.rights import NOBODY, public_directory
from tests.support.programs.processes import eventually, is_gone
from zope_exporter.maintenance.pack.program import own_program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# A user of a container has no entry in the passwd file of the host.
NO_ENTRY = 54321
ROOTS_GROUPS = [4, 6, 42]
DEADLINE = 60


def as_user(uid: int, *command: str, directory: Path) -> list[str]:
    config = directory / "config"
    config.write_text("secret\n")
    return own_program("as_user", str(uid), str(uid), str(config), *command)


def started_by_root(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd="/",
        extra_groups=ROOTS_GROUPS,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("uid", [NO_ENTRY, NOBODY], ids=["no entry", "an entry"])
def test_it_has_the_groups_of_that_user_and_none_of_roots(uid: int, tmp_path: Path) -> None:
    try:
        expected = set(os.getgrouplist(pwd.getpwuid(uid).pw_name, uid))
    except KeyError:
        assert uid == NO_ENTRY
        expected = {uid}
    ended = started_by_root(as_user(uid, "/bin/cat", "/proc/self/status", directory=tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("secret\n")
    status = dict(line.split(":", 1) for line in ended.stdout.splitlines() if ":" in line)
    assert {*map(int, status["Groups"].split())} == expected
    assert {*map(int, (status["Uid"] + status["Gid"]).split())} == {uid}
    assert int(status["CapEff"], 16) == 0


def test_a_pack_of_a_file_writes_nowhere_that_only_roots_groups_may() -> None:
    with public_directory() as public:
        data_fs = public / "var/Data.fs"
        data_fs.parent.mkdir()
        make_database(data_fs)
        for path in data_fs.parent.iterdir():
            os.chown(path, NO_ENTRY, NO_ENTRY)
        data_fs.parent.chmod(0o775)
        os.chown(data_fs.parent, 0, ROOTS_GROUPS[0])
        before = data_fs.read_bytes()
        ended = started_by_root(own_program("offline", "0", str(data_fs)))
        assert ended.returncode == 1
        assert "Permission denied" in ended.stdout
        assert data_fs.read_bytes() == before
        os.chown(data_fs.parent, NO_ENTRY, NO_ENTRY)
        ended = started_by_root(own_program("offline", "0", str(data_fs)))
        assert (ended.returncode, ended.stdout) == (0, "")
        assert {path.stat().st_uid for path in data_fs.parent.iterdir()} == {NO_ENTRY}


def test_it_still_dies_with_whoever_started_it(tmp_path: Path) -> None:
    """The kernel forgets what ties it to its parent when it becomes somebody else."""
    command = as_user(NO_ENTRY, "/bin/sh", "-c", "exec sleep 1000", directory=tmp_path)
    program = (
        "import pathlib, signal, zope_exporter.system.subprocesses as c\n"
        f"print(c.Child({command!r}, pathlib.Path({str(tmp_path / 'log')!r})).pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: is_gone(pid) or psutil.Process(pid).name() == "sleep")
        assert psutil.Process(pid).uids().real == NO_ENTRY
        parent.kill()
    try:
        assert eventually(lambda: is_gone(pid), 10)
    finally:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)
