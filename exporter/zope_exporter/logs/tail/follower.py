"""Following one log: whatever happens to the file, each line is counted once."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import ContentChangedError, LogError, LogMissingError, named
from .file import Identity, first_bytes
from .line_reader import LineReader
from .lines import JSON, LineCounter
from .loss_reasons import REASONS, Reason
from .oldest import first_timestamp
from .open_files import OpenFiles
from .rotation_tracker import RotationTracker

LOOK_BYTES = 8 << 20
MISSING_PATIENCE = 10.0
_HEAD = 4096
_SETTLED_NS = 1_000_000_000


class FollowedLog:
    """A log, what its lines amount to, and how far it has been read.

    `size` is that of the file at the path, `unread` the bytes not counted yet, also of rotated
    files, `oldest` the time of the file's first line, `current` that file itself: None where there
    is no such file. `resets`
    tells how often lines may have been lost. `unsaved` is set by a look that changed the state.
    """

    def __init__(
        self,
        path: Path,
        make_counter: Callable[[], LineCounter],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.counter = make_counter()
        self.resets: dict[str, int] = dict.fromkeys(REASONS, 0)
        self.size: int | None = None
        self.unread: int | None = None
        self.oldest: float | None = None
        self.current: Identity | None = None
        self.unsaved = False
        self._make_counter = make_counter
        self._clock = clock
        self._readings = OpenFiles(clock)
        self._trail = RotationTracker(path, self._readings, self._count_reset)
        self._unchanged: tuple[int, int, int, int] | None = None
        self._first_line_of = ""
        self._last_there: float | None = None

    def save(self) -> dict[str, JSON]:
        """Return positions and counters together: only so is no line lost or counted twice."""
        return {
            "trail": self._trail.save(),
            "resets": self.resets,
            "counter": self.counter.save(),
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned; what cannot be used of it begins anew."""
        resets, trail, counter = (
            _mapping(state.get(key)) for key in ("resets", "trail", "counter")
        )
        self.resets |= {
            reason: count
            for reason, count in resets.items()
            if reason in self.resets and isinstance(count, int)
        }
        try:
            self.counter.load(counter)
        except ValueError:
            self.counter = self._make_counter()
            self._count_reset("state")
        try:
            self._trail.load(trail)
        except ValueError:
            self._count_reset("state")

    def look(self, budget: int = LOOK_BYTES) -> bool:
        """Count what has been added, up to so many bytes; return whether there is more to read.

        Raises LogError, after counting what can be read all the same: the process may still write
        to the file that was renamed.
        """
        now = time.time_ns()
        status = self._status()
        self.current = status and status[:2]
        if status == self._unchanged is not None and not self._readings.older:
            return False
        before = self._trail.save()
        problem = self._update()
        try:
            more = self._read(budget, isinstance(problem, LogMissingError))
            self._describe(status)
        except OSError as error:
            self._trail.lose_current()
            raise named(self.path, error) from error
        finally:
            self.unsaved |= self._trail.save() != before
        # Until the file system's clock has moved on, a second change would leave the same times.
        settled = status is not None and status[-1] < now - _SETTLED_NS
        self._unchanged = status if settled and not more and problem is None else None
        if problem is None or self._only_just_missing(problem):
            return more
        raise problem

    def close(self) -> None:
        self._readings.close()

    def _status(self) -> tuple[int, int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns

    def _update(self) -> LogError | None:
        try:
            self._trail.update()
        except LogMissingError:
            return named(self.path, FileNotFoundError())
        except LogError as error:
            return error
        except OSError as error:
            return named(error.filename or self.path, error)
        self._last_there = self._clock()
        return None

    def _only_just_missing(self, problem: LogError) -> bool:
        """Between the rename and the process's opening of the new file there is none."""
        return (
            isinstance(problem, LogMissingError)
            and self._last_there is not None
            and self._clock() - self._last_there < MISSING_PATIENCE
        )

    def _read(self, budget: int, missing: bool) -> bool:
        for reading in list(self._readings.older):
            budget = self._read_older(reading, budget)
        current = self._readings.current
        if current is None or budget <= 0:
            return budget <= 0
        try:
            budget = self._read_one(current, budget)
            if missing and budget > 0 and self._readings.ended(current):
                self._end(current)
        except ContentChangedError:
            self._trail.truncated(current)
            return True
        return budget <= 0

    def _read_older(self, reading: LineReader, budget: int) -> int:
        try:
            budget = self._read_one(reading, budget)
            if budget > 0 and self._readings.ended(reading):
                self._end(reading)
        except ContentChangedError:
            self._give_up(reading, "truncated")
        except OSError:
            self._give_up(reading, "unreadable")
        return budget

    def _read_one(self, reading: LineReader, budget: int) -> int:
        seen = reading.position.seen
        budget = reading.read(self.counter, budget)
        if reading.position.seen > seen:
            reading.grown = self._clock()
        return budget

    def _end(self, reading: LineReader) -> None:
        reading.finish(self.counter)
        self._readings.end(reading)

    def _give_up(self, reading: LineReader, reason: Reason) -> None:
        self._count_reset(reason)
        self._readings.drop(reading)

    def _describe(self, status: tuple[int, int, int, int] | None) -> None:
        current, readings = self._readings.current, self._readings.all()
        self.unread = sum(reading.unread() for reading in readings) if readings else None
        there = status is not None and current and current.file.identity == status[:2]
        if not there or current is None or status is None:
            self.size = self.oldest = None
            self._first_line_of = ""
            return
        self.size = status[2]
        if self._first_line_of != current.position.head:
            self._first_line_of = current.position.head
            self.oldest = first_timestamp(first_bytes(current.file, _HEAD))

    def _count_reset(self, reason: Reason) -> None:
        self.resets[reason] += 1
        self.unsaved = True


def _mapping(state: JSON) -> Mapping[str, JSON]:
    return state if isinstance(state, dict) else {}
