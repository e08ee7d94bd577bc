"""The progress of an action for whoever waits for it: a bar on a terminal, else lines."""

import shutil
import time
from collections.abc import Callable
from typing import TextIO

import click

from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.system.humanize import duration

WIDTH = 30
REDRAW_SECONDS = 0.1


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
