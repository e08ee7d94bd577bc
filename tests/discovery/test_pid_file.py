"""Which process a PID file or the lock of a Data.fs names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.zopes.lookalikes import program, running
from zope_exporter.discovery.inventory import Database, Service, Site
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.pid_file import process_of
from zope_exporter.discovery.processes import Processes
from zope_exporter.discovery.survey import Survey

HOLDER = """
import os, sys
if sys.argv[1:]:
    kept = open(sys.argv[1], "a")
    kept.write(f" {os.getpid()}\\n")
    kept.flush()
print("ready", flush=True)
sys.stdin.read()
"""
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[int]:
    """A process that has nothing to do with the file."""
    with running(program(tmp_path / "stranger"), cwd=tmp_path) as process:
        yield process.pid


def test_a_pid_file_names_the_process_that_is_older(tmp_path: Path, stranger: int) -> None:
    pid_file = tmp_path / "pid"
    assert process_of(pid_file) is None
    pid_file.write_text(f"{stranger}\n")
    found = process_of(pid_file)
    assert found is not None
    assert found.pid == stranger
    os.utime(pid_file, (1000, 1000))
    assert process_of(pid_file) is None


@as_root
def test_a_pid_file_of_another_user_is_not_believed(tmp_path: Path, stranger: int) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{stranger}\n")
    os.chown(pid_file, NOBODY, NOBODY)
    assert process_of(pid_file) is None


def test_a_lock_names_who_holds_it(tmp_path: Path, stranger: int) -> None:
    lock = tmp_path / "Data.fs.lock"
    with running(program(tmp_path / "holder", HOLDER), lock, cwd=tmp_path) as holder:
        found = process_of(lock)
        assert found is not None
        assert found.pid == holder.pid
        if os.geteuid() == 0:  # who may use the lock of another user holds it nevertheless
            os.chown(lock, NOBODY, NOBODY)
            assert process_of(lock) == found
    lock.write_text(f" {stranger}\n")  # the number was given anew since
    assert process_of(lock) is None


def test_a_data_fs_alone_tells_its_process_by_its_lock(tmp_path: Path) -> None:
    database = Database("main", "filestorage", data_fs=tmp_path / "Data.fs")
    declared = Site("intranet", (Service("zope", "", None, databases=(database,)),))
    survey = Survey(Memory(None), (declared,), find=Processes, hosts=frozenset)
    lock = tmp_path / "Data.fs.lock"
    with running(program(tmp_path / "some-server", HOLDER), lock, cwd=tmp_path) as server:
        ((_, service),) = survey().services()
        assert service.process is not None
        assert service.process.pid == server.pid
    ((_, service),) = survey().services()
    assert service.process is None
