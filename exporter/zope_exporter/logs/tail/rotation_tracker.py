"""Which files a log consists of, and how far each was read, whatever has happened to them."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from zope_exporter.system.foreign_root import real_path

from .archives import SeenArchives
from .file import Identity, LogFile, LogMissingError, first_bytes, open_log
from .line_reader import LONGEST_LINE, SAMPLE, LineReader, Position, beginning, end, from_json
from .lines import JSON
from .loss_reasons import Reason
from .rotation import Found, find, find_again, history

GRACE = 60.0
_REMEMBERED = 8


class RotationTracker:
    """Keeps the readers of a log up to date with the files there are.

    A file that was there at the first sight of the log is read from its end on: what happened
    before is history, and so are the rotated files there are then. A file that comes later is read
    from its beginning. `current` is the one at the path, `older` are those before it that are still
    read, in the order they were written: after a rotation the old file stays open, for a process
    that has not reopened its log still writes to it, until it has not grown for GRACE seconds and
    the new file has content. `lost` is called whenever lines may have been lost.
    """

    def __init__(
        self,
        path: Path,
        lost: Callable[[Reason], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.current: LineReader | None = None
        self.older: list[LineReader] = []
        self._path = os.fspath(path)
        self._lost = lost
        self._clock = clock
        self._past: list[Position] = []  # how far files were read that have ended
        self._seen: SeenArchives | None = None  # as long as nobody has looked
        self._first_sight = True
        self._sought: Position | None = None
        self._sought_older: list[Position] = []

    def readers(self) -> list[LineReader]:
        return [*self.older, *([self.current] if self.current else [])]

    def save(self) -> dict[str, JSON]:
        current = self.current.position if self.current else self._sought
        older = [*self._sought_older, *(reader.position for reader in self.older)]
        return {
            "first_sight": self._first_sight,
            "current": current.as_json() if current else None,
            "older": [position.as_json() for position in older],
            "past": [position.as_json() for position in self._past],
            "seen": None if self._seen is None else self._seen.save(),
        }

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        current, older, past = (state.get(key) for key in ("current", "older", "past"))
        if not isinstance(older, list) or not isinstance(past, list):
            raise ValueError("no positions in a log")
        known = [from_json(each) for each in [*older, *past, *([current] if current else [])]]
        seen = state.get("seen")  # earlier versions did not keep it
        self._seen = None if seen is None else SeenArchives(seen)
        # Of an empty file only the inode is known, which may be another file's by now.
        self._sought_older = [position for position in known[: len(older)] if position.seen]
        self._past = known[len(older) :][: len(past)]
        self._sought = known[-1] if current else None
        self._first_sight = bool(state.get("first_sight"))

    def update(self) -> None:
        """Find out which files there are to read. Raises LogError, OSError."""
        file = self._open()
        try:
            self._find_older_again(file)
            self._arrange(file)
            for reader in self.older:
                # It may wait for its turn when the exporter ends. Of an empty file nothing but the
                # inode would be known then, which may be another file's at the next start.
                with suppress(OSError):
                    reader.begin()
        except BaseException:
            if file is not None:
                file.close()
            raise
        if file is None:
            raise LogMissingError(self._path)

    def truncated(self, reader: LineReader, successor: LogFile | None = None) -> None:
        """Go on with the beginning of a file that is not what it was, then with its successor."""
        file = reader.file
        found = self._rotated(reader.position, successor or file)
        self._lost("truncated" if found.file is None else "copytruncate")
        first = [self._reader(found.file, reader.position)] if found.file else []
        if successor is not None:
            # It may be among them, renamed or compressed; ours is the one that late lines go to.
            start = beginning(file)
            for again in [each for each in found.newer if start.holds(each)]:
                found.newer.remove(again)
                again.close()
            found.newer.insert(0, file)
        self._read_in_order(first, found, successor or file)

    def ended(self, reader: LineReader) -> bool:
        """Tell whether nothing more is to be expected of a file that was read to its end."""
        if not reader.file.growing:
            return True
        if self._clock() - reader.grown < GRACE:
            return False
        # A file kept open by us alone would keep the room it takes after it was deleted.
        if reader is self.current or self.current is None:
            return reader.file.deleted()
        succeeded = self.current.position.seen or not reader.position.seen
        return bool(succeeded) or reader.file.deleted()

    def end(self, reader: LineReader) -> None:
        """Forget a file that has ended, but not how far it was read."""
        self._past = [*self._past, reader.position][-_REMEMBERED:]
        self.drop(reader)

    def drop(self, reader: LineReader) -> None:
        self._see(reader.file)
        reader.file.close()
        if reader is self.current:
            self.current = None
        else:
            self.older.remove(reader)

    def lose_current(self) -> None:
        """Look for the current file anew; its descriptor is of no use any more."""
        if self.current is not None:
            self._sought = self.current.position
            self.drop(self.current)

    def close(self) -> None:
        for reader in self.readers():
            reader.file.close()

    def _open(self) -> LogFile | None:
        try:
            return open_log(real_path(self._path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _arrange(self, file: LogFile | None) -> None:
        if file is not None and self._first_sight:
            self.current = self._reader(file, end(file, LONGEST_LINE))
        elif self._sought is not None:
            self._resume(self._sought, file)
        elif file is not None and self.current is None:
            found = self._rotated(self._past[-1], file) if self._past else Found()
            if found.file is not None:
                found.file.close()
            self._read_in_order([], found, file)
        elif file is not None and self.current is not None:
            self._continue(self.current, file)
        self._first_sight = False
        if self._seen is None:
            self._see_history()

    def _continue(self, current: LineReader, file: LogFile) -> None:
        if current.file.identity == file.identity:
            file.close()
            if not current.holds():
                self.truncated(current)
            return
        with suppress(OSError):
            current.begin()  # what was empty at the last look is known by what it has now
        found = self._rotated(current.position, file, current.file)
        if not found.renamed and current.position.seen and current.position.holds(file):
            # Copied and put in its place, as editors do: the old file has nothing more to say.
            found.close()
            current.file.close()
            self.current = self._reader(file, current.position)
        elif current.holds():
            if found.file is not None:
                found.file.close()
            self._read_in_order([current], found, file)
        else:
            found.close()
            self.truncated(current, file)

    def _resume(self, position: Position, file: LogFile | None) -> None:
        """Find the file again that an earlier run, or a look before an error, had come to."""
        same_inode = file is not None and file.identity == position.identity
        if file is not None and same_inode and position.seen and position.holds(file):
            self.current, self._sought = self._reader(file, position), None
            return
        found = self._rotated(position, file)
        # Of a file that was empty the inode is known, which may be another's by now.
        doubtful = not position.seen and (found.newer or found.missed)
        if file is not None and not found.renamed and not doubtful and position.holds(file):
            found.close()
            self.current, self._sought = self._reader(file, position), None
            return
        if found.file is None and file is None:
            return
        if found.file is None:
            self._lost("truncated" if same_inode else "replaced")
        elif same_inode:
            self._lost("copytruncate")
        first = [self._reader(found.file, position)] if found.file else []
        self._read_in_order(first, found, file)
        self._sought = None

    def _read_in_order(self, first: list[LineReader], found: Found, last: LogFile | None) -> None:
        """Read the files in the order they were written; what is not among them is history now."""
        if self._seen is not None:
            for head, identity, was in found.older:
                self._seen.add(head, identity, was)
        if found.file is None:
            self._see_history()
        if found.unordered:
            self._lost("unordered")
        if found.missed:
            self._lost("missed")
        files = [*found.newer, *([last] if last else [])]
        self._read([*first, *map(self._start, files)])

    def _read(self, readers: Iterable[LineReader]) -> None:
        """Read these after the older ones; the last of them is the current one from now on."""
        *before, self.current = readers
        self.older += before
        for reader in list(self.older):
            if reader.file.identity == self.current.file.identity:  # put back in place
                self.drop(reader)

    def _start(self, file: LogFile) -> LineReader:
        """Read from the beginning; a file put back in place, from where it was."""
        return self._reader(file, self._known(file) or beginning(file))

    def _reader(self, file: LogFile, position: Position) -> LineReader:
        if file.identity != position.identity:  # copied or compressed
            self._see(file, position.identity)
        return LineReader(file, position, self._clock())

    def _known(self, file: LogFile) -> Position | None:
        """Return how far a file was read that is not the current one."""
        # An older file that is still there itself was not put back as another one.
        older = [
            reader.position
            for reader in self.older
            if reader.file.identity == file.identity or reader.file.deleted()
        ]
        held = (each for each in reversed([*self._past, *older]) if each.seen and each.holds(file))
        return next(held, None)

    def _find_older_again(self, current: LogFile | None) -> None:
        while self._sought_older:
            position = self._sought_older[0]
            found = find_again(position, {*self._paths(), position.path}, self._taken(current))
            self._sought_older.pop(0)
            if found is not None:
                self.older.append(self._reader(found, position))
            elif current is not None and position.holds(current):
                self._past.append(position)
            else:
                self._lost("replaced")

    def _rotated(
        self, position: Position, current: LogFile | None, held: LogFile | None = None
    ) -> Found:
        for reader in self.older:  # as they are by now: they may get other names and inodes
            self._see(reader.file)
        paths, taken = {*self._paths(), position.path}, self._taken(current)
        found = find(position, paths, taken, self._seen, held)
        if found.file is not None and not position.seen and self._known(found.file):
            # An empty file has gone, and its inode is that of one that was read before.
            found.close()
            return Found()
        return found

    def _see(self, file: LogFile, was: Identity | None = None) -> None:
        if self._seen is not None:
            with suppress(OSError):  # it cannot be read any more
                self._seen.add(first_bytes(file, SAMPLE), file.identity, was)

    def _see_history(self) -> None:
        """Remember what rotated files there are, none of which will be counted any more."""
        seen = self._seen or SeenArchives()
        with suppress(OSError):  # the directory may not be there, or not be listed, yet
            for head, identity in history(self._paths()):
                seen.add(head, identity)
            self._seen = seen

    def _taken(self, current: LogFile | None) -> set[Identity]:
        older = {reader.file.identity for reader in self.older}
        return older | ({current.identity} if current else set())

    def _paths(self) -> set[str]:
        return {self._path, real_path(self._path)}
