"""What whole commands take, compared by turns: the seconds of CPU of all their processes, first.

These stay true on a machine that does other things too; the time that passes does not.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Arguments = Sequence[object]


class Took(NamedTuple):
    """`cpu` and `passed` in seconds, the most `memory` of a process and what was `read` in MB."""

    cpu: float
    passed: float
    memory: float
    read: float


def as_installed() -> dict[str, str]:
    """The environment of a program that was installed: what it imports was compiled before.

    Where Python must not keep what it compiled, each start of a checkout compiles all of it again,
    while the others were compiled when they were installed.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measured(command: Arguments, environ: Mapping[str, str] | None = None) -> Took:
    """Run a command to its good end. What it read is all of it, its own program included."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**as_installed(), **(environ or {})},
        )
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is still there to be asked
        read = int(Path(f"/proc/{process.pid}/io").read_text().split()[1])
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        assert process.returncode == 0, output.read().decode(errors="replace")[-2000:]
    cpu = used.ru_utime + used.ru_stime
    return Took(cpu, time.monotonic() - began, used.ru_maxrss / 1024, read / 1e6)


def one_after_another(*commands: Arguments) -> Took:
    """Run several commands; what they take is added up, but for the memory."""
    took = [measured(command) for command in commands]
    cpu, passed, _, read = (sum(column) for column in zip(*took, strict=True))
    return Took(cpu, passed, max(each.memory for each in took), read)


def by_turns(what: str, steps: Mapping[str, Callable[[], Took]], rounds: int) -> Iterator[str]:
    """Do the steps by turns; yield a line for each with medians, and how it compares to the first.

    That is the median of the ratios within the rounds.
    """
    found: dict[str, list[Took]] = {name: [] for name in steps}
    for number in range(rounds):
        for name in reversed(list(steps)) if number % 2 else steps:
            os.sync()  # what others have left to write is not for this one to wait for
            found[name].append(steps[name]())
    first = found[next(iter(steps))]
    for name, took in found.items():
        medians = (statistics.median(column) for column in zip(*took, strict=True))
        cpu, passed, memory, read = medians
        ratios = (
            statistics.median(each[i] / mine[i] for mine, each in zip(first, took, strict=True))
            for i in (0, 1)
        )
        times = " and ".join(f"{ratio:.2f}" for ratio in ratios)
        yield (
            f"{what:12} {name:18} {cpu:7.2f} s CPU {passed:7.2f} s {memory:6.0f} MB"
            f" {read:8.1f} MB read {times} times"
        )
