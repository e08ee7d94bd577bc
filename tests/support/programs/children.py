"""Real processes to look at."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from zope_exporter.discovery.inventory import Process

WAIT = "print('ready', flush=True); import sys; sys.stdin.read()"


@contextmanager
def child(
    code: str, *arguments: str, program: str = sys.executable
) -> Iterator[subprocess.Popen[str]]:
    """Run Python code, which may print lines, then `ready`, and is killed in the end."""
    with subprocess.Popen(
        [program, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def lines_until_ready(running: "subprocess.Popen[str]") -> list[str]:
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        if line == "ready\n":
            return lines
        lines.append(line.rstrip("\n"))
    raise AssertionError(f"the child ended early, after {lines}")


def as_known(pid: int) -> Process:
    """The process as discovery would have it."""
    return Process(pid, psutil.Process(pid).create_time())
