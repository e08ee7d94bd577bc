"""Finding out which files a log consists of, whatever has happened to them."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .errors import LogMissingError
from .file import Identity, LogFile, open_log
from .line_reader import LONGEST_LINE, LineReader
from .lines import JSON
from .loss_reasons import Reason
from .open_files import OpenFiles
from .position import Position, beginning, end, from_json
from .rotation import Found, find, find_again, history
from .seen_archives import SeenArchives


class RotationTracker:
    """Keeps the readings of a log up to date with the files there are.

    A file that was there at the first sight of the log is read from its end on: what happened
    before is history, and so are the rotated files there are then. A file that comes later is read
    from its beginning. `reset` is called whenever lines may have been lost.
    """

    def __init__(self, path: Path, readings: OpenFiles, reset: Callable[[Reason], None]) -> None:
        self.path = os.fspath(path)
        self._readings = readings
        self._reset = reset
        self._first_sight = True
        self._sought: Position | None = None
        self._sought_older: list[Position] = []

    def save(self) -> dict[str, JSON]:
        readings = self._readings
        current = readings.current.position if readings.current else self._sought
        older = [*self._sought_older, *(reading.position for reading in readings.older)]
        seen = readings.seen
        return {
            "first_sight": self._first_sight,
            "current": current.as_json() if current else None,
            "older": [position.as_json() for position in older],
            "past": [position.as_json() for position in readings.past],
            "seen": None if seen is None else seen.save(),
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        current, older, past = (state.get(key) for key in ("current", "older", "past"))
        if not isinstance(older, list) or not isinstance(past, list):
            raise ValueError("no positions in a log")
        known = [from_json(each) for each in [*older, *past, *([current] if current else [])]]
        seen = state.get("seen")  # earlier versions did not keep it
        self._readings.seen = None if seen is None else SeenArchives(seen)
        # Of an empty file only the inode is known, which may be another file's by now.
        self._sought_older = [position for position in known[: len(older)] if position.seen]
        self._readings.past = known[len(older) :][: len(past)]
        self._sought = known[-1] if current else None
        self._first_sight = bool(state.get("first_sight"))

    def update(self) -> None:
        """Find out which files there are to read. Raises LogError, OSError."""
        file = self._open()
        try:
            self._find_older_again(file)
            self._arrange(file)
        except BaseException:
            if file is not None:
                file.close()
            raise
        if file is None:
            raise LogMissingError(self.path)

    def _arrange(self, file: LogFile | None) -> None:
        current = self._readings.current
        if file is not None and self._first_sight:
            self._readings.current = self._readings.go_on(file, end(file, LONGEST_LINE))
        elif self._sought is not None:
            self._resume(self._sought, file)
        elif file is not None and current is None:
            self._readings.add([self._readings.start(file)])
        elif file is not None and current is not None:
            self._continue(current, file)
        self._first_sight = False
        if self._readings.seen is None:
            self._see_history()

    def _see_history(self) -> None:
        """Remember what rotated files there are, none of which will be counted any more."""
        seen = self._readings.seen or SeenArchives()
        with suppress(OSError):  # the directory may not be there, or not be listed, yet
            for head, identity in history(self._paths()):
                seen.add(head, identity)
            self._readings.seen = seen

    def _continue(self, current: LineReader, file: LogFile) -> None:
        if current.file.identity == file.identity:
            file.close()
            if not current.holds():
                self.truncated(current)
            return
        found = self._rotated(current.position, file)
        if not found.renamed and current.position.seen and current.position.holds(file):
            # Copied and put in its place, as editors do: the old file has nothing more to say.
            found.close()
            current.file.close()
            self._readings.current = self._readings.go_on(file, current.position)
        elif current.holds():
            if found.file is not None:
                found.file.close()
            self._go_on([current], found, file)
        else:
            found.close()
            self.truncated(current, file)

    def truncated(self, reading: LineReader, successor: LogFile | None = None) -> None:
        """Go on with the beginning of a file that is not what it was, then with its successor."""
        file = reading.file
        found = self._rotated(reading.position, successor or file)
        self._reset("truncated" if found.file is None else "copytruncate")
        first = [self._readings.go_on(found.file, reading.position)] if found.file else []
        if successor is not None:
            # It may be among them, renamed or compressed; ours is the one that late lines go to.
            start = beginning(file)
            for again in [each for each in found.newer if start.holds(each)]:
                found.newer.remove(again)
                again.close()
            found.newer.insert(0, file)
        self._go_on(first, found, successor or file)

    def _resume(self, position: Position, file: LogFile | None) -> None:
        """Find the file again that an earlier run, or a look before an error, had come to."""
        same_inode = file is not None and file.identity == position.identity
        if file is not None and same_inode and position.holds(file):
            self._readings.current, self._sought = self._readings.go_on(file, position), None
            return
        found = self._rotated(position, file)
        if file is not None and not found.renamed and position.holds(file):
            found.close()
            self._readings.current, self._sought = self._readings.go_on(file, position), None
            return
        if found.file is None and file is None:
            return
        if found.file is None:
            self._reset("truncated" if same_inode else "replaced")
        elif same_inode:
            self._reset("copytruncate")
        first = [self._readings.go_on(found.file, position)] if found.file else []
        self._go_on(first, found, file)
        self._sought = None

    def _go_on(self, first: list[LineReader], found: Found, last: LogFile | None) -> None:
        """Read the files in the order they were written; what is not among them is history now."""
        seen = self._readings.seen
        if seen is not None:
            for head, identity, was in found.older:
                seen.add(head, identity, was)
        if found.file is None:
            self._see_history()
        if found.unordered:
            self._reset("unordered")
        files = [*found.newer, *([last] if last else [])]
        self._readings.add([*first, *map(self._readings.start, files)])

    def _find_older_again(self, current: LogFile | None) -> None:
        while self._sought_older:
            position = self._sought_older[0]
            found = find_again(position, {*self._paths(), position.path}, self._taken(current))
            self._sought_older.pop(0)
            if found is not None:
                self._readings.older.append(self._readings.go_on(found, position))
            elif current is not None and position.holds(current):
                self._readings.past.append(position)
            else:
                self._reset("replaced")

    def lose_current(self) -> None:
        """Look for the current file anew; its descriptor is of no use any more."""
        current = self._readings.current
        if current is not None:
            self._sought = current.position
            self._readings.drop(current)

    def _open(self) -> LogFile | None:
        try:
            return open_log(os.path.realpath(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _rotated(self, position: Position, current: LogFile | None) -> Found:
        self._readings.see_older()
        paths = {*self._paths(), position.path}
        found = find(position, paths, self._taken(current), self._readings.seen)
        if found.file is not None and not position.seen and self._readings.known(found.file):
            # An empty file has gone, and its inode is that of one that was read before.
            found.close()
            return Found()
        return found

    def _taken(self, current: LogFile | None) -> set[Identity]:
        older = {reading.file.identity for reading in self._readings.older}
        return older | ({current.identity} if current else set())

    def _paths(self) -> set[str]:
        return {self.path, os.path.realpath(self.path)}
