"""Work that somebody waits for: shown as it goes on, ended by Ctrl-C where that does no harm."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from zope_exporter.maintenance.jobs.report import InterruptedActionError, Report, Silent

from .progress import Bar, Lines

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@contextmanager
def shown(quiet: bool = False) -> Iterator[Report]:
    """Give a report that draws a bar on a terminal, and writes lines elsewhere."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        bar = Bar(sys.stderr)
        try:
            yield bar
        finally:
            bar.end()
    else:
        yield Lines()


@contextmanager
def ended_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Within, a signal ends the action where it does no harm, and a second one at once."""
    before = {number: signal.getsignal(number) for number in ENDING}

    def stop(number: int, _: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, before[signal.Signals(number)])

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stoppable:
    """A report that also tells its action to end once `stopping` is set."""

    def __init__(self, display: Report, stopping: threading.Event) -> None:
        self.stage = display.stage
        self.advance = display.advance
        self.say = display.say
        self._stopping = stopping

    def check(self) -> None:
        if self._stopping.is_set():
            raise InterruptedActionError("shell", "told to end")
