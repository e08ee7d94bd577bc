"""Dying at each file operation in turn."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

OPERATIONS = {
    "open",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
}


def dies_at(number: int, below: Path, work: Callable[[], object]) -> bool:
    """Do some work in a fork that is killed just before its file operation of that number.

    Only operations on files `below` that directory count. Returns whether it got that far;
    AssertionError if the work fails.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _watch(number, below)
            work()
        except BaseException as error:  # pytest must not go on in a fork
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def _watch(number: int, below: Path) -> None:
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(below) in str(arguments[0]) + str(arguments[1:2]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
