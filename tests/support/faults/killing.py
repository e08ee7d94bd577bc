"""Dying, or being failed by the system, at each file operation in turn."""

import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError

DONE, WRONG, FAILED = 0, 1, 2
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
    code = _forked(
        lambda: _watch(number, below, lambda: os.kill(os.getpid(), signal.SIGKILL)), work
    )
    assert code in (DONE, -signal.SIGKILL), code
    return code != DONE


def fails_at(
    number: int, below: Path, error: int, work: Callable[[], object], lasting: bool = True
) -> bool:
    """As `dies_at`, but that operation ends with an error, as do all after it if `lasting`.

    Returns whether there was one; AssertionError if the work fails otherwise than by ActionError.
    """

    failed = False

    def fail() -> None:
        nonlocal failed
        if failed and not lasting:
            return
        failed = True
        raise OSError(error, os.strerror(error))

    code = _forked(lambda: _watch(number, below, fail), work)
    assert code in (DONE, FAILED), code
    return code != DONE


def fails_beyond(size: int, work: Callable[[], object]) -> bool:
    """Do some work in a fork that can make no file larger than that; as `fails_at`."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    code = _forked(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit)), work)
    assert code in (DONE, FAILED), code
    return code != DONE


def _forked(prepare: Callable[[], object], work: Callable[[], object]) -> int:
    with warnings.catch_warnings():
        # Of the threads that a fork leaves behind, none holds what the work needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            prepare()
            work()
        except ActionError:
            os._exit(FAILED)
        except BaseException as error:  # pytest must not go on in a fork
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(WRONG)
        os._exit(DONE)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _watch(number: int, below: Path, then: Callable[[], object]) -> None:
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(below) in str(arguments[0]) + str(arguments[1:2]):
            left -= 1
            if left < 0:
                then()

    sys.addaudithook(count)
