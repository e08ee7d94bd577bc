import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support.programs.processes import eventually, is_gone
from zope_exporter.system import subprocesses as module
from zope_exporter.system.subprocesses import Child

FOREVER = ["sleep", "1000"]
DEAF = ["sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 1000; done']


def test_its_output_goes_to_the_log_and_its_status_to_us(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with Child(["sh", "-c", "echo out; echo err >&2; exit 3"], log) as child:
        assert child.wait(30) == 3
    assert log.read_text() == "before\nout\nerr\n"


def test_the_log_says_why_a_command_could_not_be_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Child(["no-such-command"], log) as child:
        assert child.wait(30) == 1
    assert "FileNotFoundError" in log.read_text()


def test_directory_and_environment_are_as_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = {"PATH": os.environ["PATH"], "COLOUR": "green"}
    with Child(["sh", "-c", 'pwd; echo "$COLOUR $HOME"'], log, cwd=tmp_path, env=env) as child:
        assert child.wait(30) == 0
    assert log.read_text() == f"{tmp_path}\ngreen \n"


def test_waiting_ends_before_the_process_does(tmp_path: Path) -> None:
    with Child(FOREVER, tmp_path / "log") as child:
        assert child.wait(0.01) is None
        assert not is_gone(child.pid)


def test_it_has_a_session_of_its_own_so_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    with Child(FOREVER, tmp_path / "log") as child:
        assert os.getsid(child.pid) == child.pid == os.getpgid(child.pid)


def test_leaving_the_context_ends_it_by_term(tmp_path: Path) -> None:
    with Child(FOREVER, tmp_path / "log") as child:
        pass
    assert child.wait(0) == -signal.SIGTERM
    assert not psutil.pid_exists(child.pid)


def test_one_that_ignores_term_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child(DEAF, log)
    eventually(log.read_text)
    child.stop(patience=0.5)
    assert child.wait(0) == -signal.SIGKILL


def test_stopping_reaches_the_whole_process_group(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Child(["sh", "-c", "sleep 1000 & echo $!; wait"], log):
        eventually(log.read_text)
    helper = int(log.read_text())
    assert eventually(lambda: is_gone(helper))


def test_who_ignores_term_is_killed_though_the_leader_has_obeyed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child(["sh", "-c", 'sh -c "$0" & echo $!; wait', DEAF[-1]], log)
    # Whichever of the two comes first to say it.
    eventually(lambda: len(log.read_text().split()) == 2)
    number, ready = sorted(log.read_text().split())
    assert ready == "ready"
    helper = int(number)
    child.stop(patience=0.5)
    assert child.wait(0) == -signal.SIGTERM
    assert eventually(lambda: is_gone(helper))


def test_what_a_child_that_has_ended_left_running_is_stopped_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Child(["sh", "-c", "sleep 1000 & echo $!"], log) as child:
        assert child.wait(30) == 0
        helper = int(log.read_text())
        assert not is_gone(helper)
    assert eventually(lambda: is_gone(helper))


def test_who_obeys_term_slowly_is_waited_for_though_the_leader_has_gone(tmp_path: Path) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    until = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    slow = f"trap '{until}; echo bye; exit' TERM; echo ready; while :; do sleep 0.05; done"
    child = Child(["sh", "-c", 'sh -c "$0" & wait', slow], log)
    eventually(lambda: "ready" in log.read_text())
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(child.stop, 60)
        assert child.wait(30) == -signal.SIGTERM
        assert not stopping.done()
        gate.touch()
        stopping.result(30)
    assert log.read_text().split()[-1] == "bye"


def test_stopping_what_has_ended_does_nothing(tmp_path: Path) -> None:
    child = Child(["true"], tmp_path / "log")
    assert child.wait(30) == 0
    child.stop()
    assert child.wait(0) == 0


@pytest.mark.parametrize("command", [FOREVER, DEAF])
def test_it_dies_with_its_parent(tmp_path: Path, command: list[str]) -> None:
    log = tmp_path / "log"
    program = (
        "import pathlib, signal, zope_exporter.system.subprocesses as c\n"
        f"print(c.Child({command!r}, pathlib.Path({str(log)!r})).pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: is_gone(pid) or psutil.Process(pid).cmdline() == command)
        assert not is_gone(pid)
        parent.kill()
    assert eventually(lambda: is_gone(pid))


def test_it_never_starts_when_its_parent_is_dead_already(tmp_path: Path) -> None:
    born = tmp_path / "born"
    nobody = "0"
    subprocess.run([sys.executable, module.__file__, nobody, "touch", born], check=True)
    assert not born.exists()
