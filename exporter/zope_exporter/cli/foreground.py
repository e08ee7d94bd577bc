"""Work that somebody waits for: shown as it goes on, ended by Ctrl-C where that does no harm.

Its progress is a bar on a terminal, else lines.
"""

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import click

from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
    Silent,
)
from zope_exporter.system.humanize import duration

from .flags import EXIT_CODES

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
WIDTH = 30
REDRAW_SECONDS = 0.1


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


def ended_by(error: ActionError | OSError, what: object = "", failed: str = "failed") -> int:
    """Say why something was not done, `failed` being how that is called; return the exit code."""
    about = f"{what}: " if what else ""
    if isinstance(error, RefusedError):
        click.echo(f"{about}refused: {error.advice}", err=True)
        return EXIT_CODES["refused"]
    if isinstance(error, InterruptedActionError):
        click.echo(f"{about}interrupted: {error}", err=True)
        return EXIT_CODES["interrupted"]
    click.echo(f"{about}{failed}: {error}", err=True)
    return EXIT_CODES["failed"]


class Stoppable:
    """A report that also tells its action to end once `stopping` is set."""

    def __init__(self, display: Report, stopping: threading.Event) -> None:
        self.stage = display.stage
        self.advance = display.advance
        self.say = display.say
        self._stopping = stopping

    def check(self) -> None:
        if self._stopping.is_set():
            raise InterruptedActionError("shell", "interrupted by a signal")


class Lines(Silent):
    """A line for each stage and each thing said."""

    def stage(self, name: str, _: int = 0) -> None:
        click.echo(name, err=True)

    def say(self, text: str) -> None:
        click.echo(text, err=True)


class Bar(Silent):
    """One line, drawn anew; what is said stays above it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._name = ""
        self._done = self._total = 0
        self._begun = self._drawn = clock()

    def stage(self, name: str, total: int = 0) -> None:
        self._name, self._done, self._total = name, 0, total
        self._begun = self._clock()
        self._draw()

    def advance(self, count: int) -> None:
        self._done += count
        if self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def say(self, text: str) -> None:
        self._write(f"{text}\n")
        self._draw()

    def end(self) -> None:
        """Take the bar away."""
        self._write("")

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._write(self._line()[: shutil.get_terminal_size().columns - 1])

    def _line(self) -> str:
        if not self._total:
            return self._name
        ratio = min(1.0, self._done / self._total)
        filled = int(ratio * WIDTH)
        bar = "#" * filled + "-" * (WIDTH - filled)
        return f"[{bar}] {ratio:4.0%} {self._name}{self._left(ratio)}"

    def _left(self, ratio: float) -> str:
        spent = self._clock() - self._begun
        if ratio == 0 or spent < 1:
            return ""
        return f", {duration(spent / ratio - spent)} left"

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
