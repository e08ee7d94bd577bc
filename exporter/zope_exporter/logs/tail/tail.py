"""Following one log: whatever happens to the file, each line is counted once."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .file import (
    ContentChangedError,
    Identity,
    LogError,
    LogMissingError,
    first_bytes,
    first_timestamp,
    named,
)
from .line_reader import LineReader
from .lines import JSON, LineCounter
from .loss_reasons import REASONS, Reason
from .rotation_tracker import RotationTracker

LOOK_BYTES = 8 << 20
MISSING_PATIENCE = 10.0
_HEAD = 4096
_SETTLED_NS = 1_000_000_000


class Tail:
    """A log, what its lines amount to, and how far it has been read.

    `size` is that of the file at the path, `unread` the bytes not counted yet, also of rotated
    files, `oldest` the time of the file's first line, `current` that file itself: None where there
    is no such file. `resets` tells how often lines may have been lost. `unsaved` is set by a look
    that changed the state, `idle` by one that found all as the look before had left it.
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
        self.unsaved = self.idle = False
        self._make_counter = make_counter
        self._clock = clock
        self._files = RotationTracker(path, self._count_reset, clock)
        self._unchanged: tuple[int, int, int, int] | None = None
        self._first_line_of = ""
        self._last_there: float | None = None

    def save(self) -> dict[str, JSON]:
        """Return positions and counters together: only so is no line lost or counted twice."""
        return {
            "trail": self._files.save(),
            "resets": self.resets,
            "counter": self.counter.save(),
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned; what cannot be used of it begins anew."""
        resets, files, counter = (
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
            self._files.load(files)
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
        self.idle = status == self._unchanged is not None and not self._files.older
        if self.idle:
            return False
        before = self._files.save()
        problem = self._update()
        try:
            more = self._read(budget, isinstance(problem, LogMissingError))
            self._describe(status)
        except OSError as error:
            self._files.lose_current()
            raise named(self.path, error) from error
        finally:
            self.unsaved |= self._files.save() != before
        # Until the file system's clock has moved on, a second change would leave the same times.
        settled = status is not None and status[-1] < now - _SETTLED_NS
        self._unchanged = status if settled and not more and problem is None else None
        if problem is None or self._only_just_missing(problem):
            return more
        raise problem

    def close(self) -> None:
        self._files.close()

    def _status(self) -> tuple[int, int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns

    def _update(self) -> LogError | None:
        try:
            self._files.update()
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
        for reader in list(self._files.older):
            budget = self._read_older(reader, budget)
        current = self._files.current
        if current is None or budget <= 0:
            return budget <= 0
        try:
            budget = self._read_one(current, budget, may_end=missing)
        except ContentChangedError:
            self._files.truncated(current)
            return True
        return budget <= 0

    def _read_older(self, reader: LineReader, budget: int) -> int:
        lost: Reason
        try:
            return self._read_one(reader, budget, may_end=True)
        except ContentChangedError:
            lost = "truncated"
        except OSError:
            lost = "unreadable"
        self._count_reset(lost)
        self._files.drop(reader)
        return budget

    def _read_one(self, reader: LineReader, budget: int, may_end: bool) -> int:
        seen = reader.position.seen
        budget = reader.read(self.counter, budget)
        if reader.position.seen > seen:
            reader.grown = self._clock()
        if may_end and budget > 0 and self._files.ended(reader):
            reader.finish(self.counter)
            self._files.end(reader)
        return budget

    def _describe(self, status: tuple[int, int, int, int] | None) -> None:
        current, readers = self._files.current, self._files.readers()
        self.unread = sum(reader.unread() for reader in readers) if readers else None
        if status is None or current is None or current.file.identity != status[:2]:
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
