"""Processes this one starts: each in a session of its own, its output in a file, none outliving us.

The kernel kills a child when the thread that started it ends, so children are started from the main
thread. The child itself asks for that, in the few lines at the end of this file run as a script,
and then becomes the wanted program: code between fork and exec is not safe beside threads.
"""

import ctypes
import os
import signal
import subprocess  # noqa: TID251  this is the one module
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2
POLL_SECONDS = 0.02
_NEEDED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR")


class Child:
    """A running program. Left as a context, it is stopped with all of its process group."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command`; `log` gets all it writes, also why it could not be started."""
        script = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  no shell, and no input of users
                [*script, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                # Ctrl-C at the terminal is for us alone: we end our children in our order.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait(self, timeout: float) -> int | None:
        """Wait up to `timeout` seconds for its end; its exit status, or None if it still runs."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def stop(self, patience: float = 5.0) -> None:
        """End it and what it began: TERM, and KILL to what is left after `patience` seconds.

        Raises TimeoutError if the kernel does not let go of it within as many seconds more.
        """
        for order in signal.SIGTERM, signal.SIGKILL:
            if self._goes_on():
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, order)
                self._wait_for_all(patience)
        if self._goes_on():
            raise TimeoutError(f"process {self.pid} outlives SIGKILL")

    def _goes_on(self) -> bool:
        """Tell whether it runs, or has gone and left others of its group behind."""
        return self._process.poll() is None or _is_group(self.pid)

    def _wait_for_all(self, patience: float) -> None:
        until = time.monotonic() + patience
        self.wait(patience)
        while self._goes_on() and time.monotonic() < until:
            # Nobody can wait for processes that are not its own children.
            threading.Event().wait(POLL_SECONDS)

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def plain_environment(*more: str) -> dict[str, str]:
    """Return what a program needs of our environment, and `more` names; ours may hold secrets."""
    return {name: os.environ[name] for name in (*_NEEDED, *more) if name in os.environ}


def run(command: Sequence[str], timeout: float, cwd: Path | None = None) -> tuple[int, str]:
    """Run a program to its end; return its exit status and all it wrote.

    Raises TimeoutError if it does not end within `timeout` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        log = Path(directory, "output")
        with Child(command, log, cwd) as child:
            status = child.wait(timeout)
        if status is None:
            raise TimeoutError(f"{command[0]} did not end within {timeout:g} s")
        return status, log.read_text(errors="replace")


def _is_group(number: int) -> bool:
    """Tell whether a process group has a member that is more than a zombie.

    No other group can have got the number meanwhile: the kernel gives none that is still in use.
    """
    try:
        os.killpg(number, 0)
    except ProcessLookupError:  # mostly: there is no need to look at all processes
        return False
    except PermissionError:
        pass
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, group = stat.read_bytes().rpartition(b")")[2].split()[:3]
            if int(group) == number and state not in b"ZX":
                return True
    return False


def _set_death_signal(number: int) -> None:
    _prctl(PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: Any) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the end of the parent cannot be tied to that of a child")


def outlive_parent() -> None:
    """Go on if the parent dies: said by a child that has begun what must not be left half-done."""
    _set_death_signal(0)


@contextmanager
def still_dying_with_parent() -> Iterator[None]:
    """Within, a child may become another user, at which the kernel forgets what it ends with."""
    number, parent = ctypes.c_int(), os.getppid()
    _prctl(PR_GET_PDEATHSIG, ctypes.byref(number))
    yield
    if number.value:
        _set_death_signal(number.value)
        if os.getppid() != parent:  # it died before the kernel knew again
            os.kill(os.getpid(), number.value)


def _become(parent: int, command: list[str]) -> None:
    _set_death_signal(signal.SIGKILL)
    if os.getppid() == parent:  # else it died before the kernel knew
        os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
