"""Programs of ours in processes of their own, where a hang, a crash or a pickle hurts nobody.

The last line such a program writes is the reason if it fails.
"""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.system.subprocesses import Child, plain_environment

from .target import LostError, pack_failed, with_stuck_pack_hint

log = logging.getLogger(__name__)

# As zodbpack writes, which says all there is for debugging, hundreds of lines, whatever is wanted.
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\S+\] ([A-Z]+) ")
FAILED = 1
LOST = 3  # the exit status of a program that does not know what became of a pack
SHOWN_LINES = 20
LONGEST_LOG = 1 << 20


class RunningProgram:
    """A program that packs; what it writes is passed on without the `hidden` words."""

    def __init__(self, child: Child, log: Path, report: Report, hidden: Sequence[str]) -> None:
        self.beyond_us = ""
        self._child = child
        self._log = log
        self._report = report
        self._hidden = hidden

    def seen(self) -> int:
        """Return how much it has written."""
        return self._log.stat().st_size

    def ended(self, seconds: float) -> bool:
        """Wait for its end, and pass on what it has said."""
        status = self._child.wait(seconds)
        if status is None:
            return False
        lines = self._lines()[-SHOWN_LINES:]
        reason = lines.pop() if lines and status else f"ended with status {status} without a word"
        for line in lines:
            self._report.say(line)
        if status < 0:
            raise LostError(f"the program that packs was ended by signal {-status}")
        if status == LOST:
            raise LostError(with_stuck_pack_hint(reason))
        if status:
            raise pack_failed(reason)
        return True

    def _lines(self) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - LONGEST_LOG, 0))
            text = log.read().decode(errors="replace")
        for word in self._hidden:
            text = text.replace(word, "…")
        return list(_without_debug(line.rstrip() for line in text.splitlines() if line.strip()))


def _without_debug(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are for whoever packs; the others go to our own log, for debugging."""
    hidden = False
    for line in lines:
        record = RECORD.match(line)
        if record or not line[0].isspace():  # else it belongs to the line before
            hidden = record is not None and record[1] == "DEBUG"
        if hidden:
            log.debug("%s", line)
        else:
            yield line


@contextmanager
def program(
    command: Sequence[str], report: Report, patience: float = 5.0, hidden: Sequence[str] = ()
) -> Iterator[RunningProgram]:
    """Run a program until the end of the block, when it is told to end if it has not.

    `patience` (seconds) is how long it may take for that.
    """
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        log = Path(directory, "log")
        child = Child(command, log, cwd=Path("/"), env=plain_environment())
        try:
            yield RunningProgram(child, log, report, hidden)
        finally:
            child.stop(patience)


def own_program(module: str, *arguments: str) -> list[str]:
    """Return the command of a module of this package, run by this Python and nothing else."""
    return [sys.executable, "-I", "-m", f"{__package__}.{module}", *arguments]


def failed(reason: str) -> int:
    """Say why this program has failed; return its exit status."""
    say(reason)
    return FAILED


def say(text: str) -> None:
    """Write a line that whoever started this program passes on."""
    sys.stdout.write(" ".join(text.split()) + "\n")
