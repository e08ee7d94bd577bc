import os
from pathlib import Path

import pytest

from tests.support.programs.children import child, lines_until_ready
from zope_exporter.logs.tail.archives import reopen_needed

HIDDEN = """
import os, sys
from pathlib import Path
from zope_exporter.logs.tail.archives import WriterHiddenError, reopen_needed
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    reopen_needed(1, Path("Z4.log"), None)
except WriterHiddenError as error:
    print(error)
print("ready")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Z4.log"


def needed(path: Path) -> bool:
    current = path.stat() if path.exists() else None
    identity = (current.st_dev, current.st_ino) if current else None
    return reopen_needed(os.getpid(), path, identity)


def test_rename(path: Path) -> None:
    with path.open("a"):
        assert not needed(path)
        path.rename(path.with_name("Z4.log-20260101"))
        assert needed(path)
        path.touch()
        assert needed(path)
        with path.open("a"):
            assert not needed(path)
    assert not needed(path)


def test_delete(path: Path) -> None:
    with path.open("a"):
        path.unlink()
        assert needed(path)


def test_copytruncate_and_readers_do_not_matter(path: Path) -> None:
    path.write_text("x")
    with path.open("a"):
        os.truncate(path, 0)
        assert not needed(path)
    with path.open():
        path.rename(path.with_name("Z4.log.1"))
        assert not needed(path)


def test_other_logs_of_the_process_do_not_matter(path: Path) -> None:
    path.touch()
    with path.with_name("Z4-audit.log").open("a"), path.with_name("Z4.log.bak").open("a"):
        assert not needed(path)


def test_symbolic_link(path: Path) -> None:
    target = path.with_name("target.log")
    with target.open("a"):
        path.symlink_to(target)
        assert not needed(path)
        target.rename(path.with_name("target.1.log"))
        assert needed(path)


def test_a_process_that_is_gone(path: Path, tmp_path: Path) -> None:
    assert not reopen_needed(7, path, None, tmp_path)


@pytest.mark.skipif(
    Path("/proc/1").stat().st_uid == os.geteuid() != 0, reason="process 1 is our own"
)
def test_missing_rights_are_named() -> None:
    with child(HIDDEN) as running:
        (message,) = lines_until_ready(running)
    assert "whether process 1 still writes to a renamed Z4.log cannot be seen: run the" in message
    assert "CAP_SYS_PTRACE" in message
