"""The files of one log that are being read: the current one, and those before it."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from .file import Identity, LogFile, first_bytes
from .line_reader import LineReader
from .position import SAMPLE, Position, beginning
from .seen_archives import SeenArchives

GRACE = 60.0
_REMEMBERED = 8


class OpenFiles:
    """What is being read of a log, in the order it was written, and what was read to its end.

    After a rotation the old file stays open, for a process that has not reopened its log still
    writes to it: until it has not grown for GRACE seconds and the new file has content. `seen` are
    the rotated files that are history or read to their end, None as long as nobody has looked.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.current: LineReader | None = None
        self.older: list[LineReader] = []
        self.past: list[Position] = []
        self.seen: SeenArchives | None = None
        self._clock = clock

    def all(self) -> list[LineReader]:
        return [*self.older, *([self.current] if self.current else [])]

    def add(self, readings: Iterable[LineReader]) -> None:
        """Read these after the older ones; the last of them is the current one from now on."""
        *before, self.current = readings
        self.older += before
        for reading in list(self.older):
            if reading.file.identity == self.current.file.identity:  # put back in place
                self.drop(reading)

    def start(self, file: LogFile) -> LineReader:
        """Return a reading from the beginning; of a file put back in place, from where it was."""
        return self.go_on(file, self.known(file) or beginning(file))

    def known(self, file: LogFile) -> Position | None:
        """Return how far a file was read that is not the current one."""
        # An older file that is still there itself was not put back as another one.
        older = [
            reading.position
            for reading in self.older
            if reading.file.identity == file.identity or reading.file.deleted()
        ]
        held = (each for each in reversed([*self.past, *older]) if each.seen and each.holds(file))
        return next(held, None)

    def see_older(self) -> None:
        """Remember the older files as they are by now, for they may get other names and inodes."""
        for reading in self.older:
            self._see(reading.file)

    def _see(self, file: LogFile, was: Identity | None = None) -> None:
        if self.seen is not None:
            with suppress(OSError):  # it cannot be read any more
                self.seen.add(first_bytes(file, SAMPLE), file.identity, was)

    def go_on(self, file: LogFile, position: Position) -> LineReader:
        if file.identity != position.identity:  # copied or compressed
            self._see(file, position.identity)
        return LineReader(file, position, self._clock())

    def ended(self, reading: LineReader) -> bool:
        """Tell whether nothing more is to be expected of a file that was read to its end."""
        if not reading.file.growing:
            return True
        if self._clock() - reading.grown < GRACE:
            return False
        # A file kept open by us alone would keep the room it takes after it was deleted.
        if reading is self.current or self.current is None:
            return reading.file.deleted()
        succeeded = self.current.position.seen or not reading.position.seen
        return bool(succeeded) or reading.file.deleted()

    def end(self, reading: LineReader) -> None:
        """Forget a file that has ended, but not how far it was read."""
        self.past = [*self.past, reading.position][-_REMEMBERED:]
        self.drop(reading)

    def drop(self, reading: LineReader) -> None:
        self._see(reading.file)
        reading.file.close()
        if reading is self.current:
            self.current = None
        else:
            self.older.remove(reading)

    def close(self) -> None:
        for reading in self.all():
            reading.file.close()
