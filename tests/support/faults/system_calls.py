"""Having the kernel refuse one system call of some work, as a disk or a file system can.

Audit hooks see no write, no fsync and no close; strace sees them all, and lets the one of its
choice fail without being made.
"""

import ctypes
import os
import re
import signal
import subprocess
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.support.programs.cache import UnavailableError
from zope_exporter.maintenance.jobs.report import ActionError

PR_SET_PTRACER, ANY = 0x59616D61, -1
LINE = re.compile(r"(?P<name>\w+)\(.*")
PATH = re.compile(r'[<"](?P<path>/[^">]*)')
DESCRIPTOR = re.compile(r"\w+\(\d+<(?P<path>[^>]*)>")
LOOKING = {
    *("fstat", "getdents64", "lstat", "newfstatat", "pread64", "preadv2", "read", "readlink"),
    *("stat", "statfs", "statx"),
}
WITHOUT_DISK = {"flock", "ioctl", "lseek"}
# How many reads such a file takes is up to what others mount and start meanwhile.
OF_KERNEL = re.compile(r'[<"]/(?:proc|sys)/')
ATTEMPTS = 50


@dataclass(frozen=True)
class Call:
    """One system call: which of that name it is, from 1, and how strace shows it.

    Calls on files of the kernel are not counted.
    """

    name: str
    number: int
    text: str

    @property
    def changes(self) -> bool:
        """Whether it is one of those that need room: not one that only looks."""
        return self.name not in LOOKING and "O_RDONLY" not in self.text

    @property
    def file(self) -> str:
        """The first path in it."""
        match = PATH.search(self.text)
        return match["path"] if match else ""

    @property
    def open_file(self) -> str:
        """The file if it is given as a descriptor, of which Python names none in its errors."""
        match = DESCRIPTOR.match(self.text)
        return match["path"] if match else ""


@dataclass(frozen=True)
class Run:
    """What strace saw of some work, and the ActionError that it ended with, if any.

    `wrong` is the traceback of any other error.
    """

    log: tuple[str, ...]
    error: str | None
    wrong: str = ""

    @property
    def injected(self) -> list[str]:
        return [line for line in self.log if line.endswith("(INJECTED)")]


def calls_of(strace: Path, below: Path, work: Callable[[], object]) -> list[Call]:
    """Do some work in a fork; tell its system calls on files `below` that a disk can refuse."""
    run = _traced(strace, [], work)
    assert run.error is None, run.error
    assert not run.wrong, run.wrong
    seen: Counter[str] = Counter()
    found = []
    for line in run.log:
        if (match := LINE.match(line)) and not OF_KERNEL.search(line):
            name = match["name"]
            seen[name] += 1
            if name not in WITHOUT_DISK and re.search(rf'[<"]{re.escape(str(below))}[/>"]', line):
                found.append(Call(name, seen[name], line))
    return found


def refused(
    strace: Path,
    call: Call,
    error: str,
    work: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
) -> Run:
    """Do some work in a fork in which that call fails; AssertionError if it came to no such call.

    AssertionError also if the work ends otherwise than well or by ActionError. strace counts the
    calls on files of the kernel too: where these were other than thought, another call failed, and
    the work is done again. `prepare` is called each time before.
    """
    before = 0
    for _ in range(ATTEMPTS):
        prepare()
        when = call.number + before
        run = _traced(strace, ["-e", f"inject={call.name}:error={error}:when={when}"], work)
        before, hit = _of_kernel(call.name, run)
        if run.injected and hit == call.number:
            assert len(run.injected) == 1, (call, run)
            assert not run.wrong, f"{call} {run.wrong}"
            return run
        assert call.number + before != when, (call, run)
    raise AssertionError(call, run)


def _of_kernel(name: str, run: Run) -> tuple[int, int | None]:
    """Count the calls of a name on files of the kernel, up to the one that failed.

    And tell which of the others that was, None if it was none of them.
    """
    before, others = 0, 0
    for line in run.log:
        if (match := LINE.match(line)) and match["name"] == name:
            own = bool(OF_KERNEL.search(line))
            before, others = before + own, others + (not own)
            if line.endswith("(INJECTED)"):
                return before, None if own else others
    return before, None


def without_links(strace: Path, work: Callable[[], object], *others: str) -> Run:
    """Do some work in a fork on file systems that know no hard links, as vfat and exFAT.

    `others` are calls that fail as well, as a disk that breaks has it.
    """
    options = ["-e", "inject=link,linkat:error=EPERM"]
    if others:
        options += ["-e", f"inject={','.join(others)}:error=EIO"]
    run = _traced(strace, options, work)
    assert run.injected, run
    assert not run.wrong, run.wrong
    return run


def _traced(strace: Path, options: list[str], work: Callable[[], object]) -> Run:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of the threads that a fork leaves behind, none holds what the work needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _work_when_continued(work, writing)
    os.close(writing)
    with tempfile.NamedTemporaryFile() as log, os.fdopen(reading) as told:
        try:
            os.waitpid(pid, os.WUNTRACED)
            watch = ["-y", "-s", "0", "-o", log.name, "-p", str(pid)]
            command: list[str | Path] = [strace, *options, *watch]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
                _await_attached(tracing)
                os.kill(pid, signal.SIGCONT)
                code, _, text = told.read().partition("\n")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        lines = tuple(Path(log.name).read_text().splitlines())
    if code not in ("done", "failed"):
        return Run(lines, None, f"{options} {code} {text}")
    return Run(lines, text if code == "failed" else None)


def _await_attached(tracing: "subprocess.Popen[str]") -> None:
    """All that the traced process does from now on is seen."""
    assert tracing.stderr is not None
    said = tracing.stderr.readline()
    if "attached" not in said:
        raise UnavailableError(f"strace may not attach to a process: {said}")


def _work_when_continued(work: Callable[[], object], writing: int) -> NoReturn:
    """Wait for strace, work, and tell how that ended."""
    try:
        # Where only ancestors may trace a process, that has to be allowed.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(ANY), 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        told = "done\n"
    except ActionError as error:
        told = f"failed\n{error}"
    except BaseException:  # whatever it is, the fork must not go on as a test
        told = f"wrong\n{traceback.format_exc()}"
    os.write(writing, told.encode())
    os._exit(0)
