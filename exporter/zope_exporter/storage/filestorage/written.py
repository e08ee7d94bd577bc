"""What is written to a Data.fs while it is followed, over packs and restarts of ours.

Each transaction is counted once: all that is kept is of one moment, and what was committed since is
read again.
"""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path

from zope_exporter.system.open_files import Identity
from zope_exporter.system.parts_file import PartsFile
from zope_exporter.system.state import StateError

from .class_counters import NAMED, ClassCounters
from .commits import Commit, CommitReader, position_since
from .datafile import (
    DataFileMissingError,
    FileStorageError,
    TornTailError,
    file_state,
    opened,
    status,
)
from .format import FIRST_TRANSACTION, Transaction, hour_of
from .growth import Growth, Ranking
from .growth_hours import GrowthHours
from .reader import DataFile
from .state import DIRECTORY
from .tail import tail_of

LOOK_BYTES = 64 << 20
# At first sight so much of the end tells which classes are written, and what the last hours were.
LEARNT_BYTES = 16 << 20
ATTEMPTS = 3


@dataclass(frozen=True)
class Place:
    """Up to where a file was read: after the transaction `tid`, which begins at `start`."""

    identity: Identity
    start: int
    tid: int
    end: int


class Written:
    """The sums of one Data.fs: by class since first sight, and by hour.

    What the last hours were is learnt at first sight from the end of the file.
    """

    def __init__(self, path: Path, state: Path | None = None) -> None:
        """`state` is the state file, None to keep nothing."""
        self.path = path
        self._counters = ClassCounters()
        name = sha256(os.fsencode(path)).hexdigest()[:16]
        self._file = PartsFile(state.parent / DIRECTORY / f"{name}.written") if state else None
        self._hours = GrowthHours()
        self._lock = threading.Lock()
        self._reader = CommitReader()
        self._place: Place | None = None
        self._saved: Place | None = None
        self._loaded = False
        self._seen: tuple[int, ...] | None = None

    def counted(self) -> Mapping[str, Sequence[int]]:
        """Return bytes and records by class since first sight; nothing before that."""
        with self._lock:
            return self._counters.sums() if self._place else {}

    def since(self, time: float) -> Growth | None:
        """Return what was written from the hour of a time on, in seconds since the epoch."""
        with self._lock:
            return self._hours.since(time) if self._place else None

    def look(self) -> None:
        """Count the commits since the last look, as many as one look may take time for.

        Without a commit that is one stat. Raises FileStorageError, and StateError if what is kept
        cannot be read.
        """
        with self._lock:
            if file_state(status(self.path)) == self._seen:
                return
            for _ in range(ATTEMPTS):
                try:
                    self._read()
                except DataFileMissingError:  # noqa: PERF203 - in the middle of a pack
                    raise
                except FileStorageError as error:
                    # A commit that is taken back while it is read may look like damage, once.
                    problem = error
                else:
                    return
            raise problem

    def save(self) -> None:
        """Keep all for the next run. Raises StateError."""
        with self._lock:
            self._save()

    def _read(self) -> None:
        self._load()
        self._seen = None
        with opened(self.path) as descriptor:
            file, found = DataFile(self.path, descriptor), os.fstat(descriptor)
            identity = found.st_dev, found.st_ino
            begin = self._begin(file, identity)
            if begin is None:
                return
            reached, before = begin
            end = reached + LOOK_BYTES
            for commit in self._reader.commits(file, reached, before):
                self._count(identity, commit)
                reached = commit.transaction.end
                if reached >= end:
                    break
            if reached == file.size():
                self._seen = file_state(found)

    def _count(self, identity: Identity, commit: Commit) -> None:
        tid, _, start, _, end = commit.transaction
        self._counters.add(commit)
        self._hours.add(commit)
        self._reach(Place(identity, start, tid, end))

    def _reach(self, place: Place) -> None:
        """Note up to where all is counted; save so often that a first look finds what was shown."""
        self._place, saved = place, self._saved
        if (
            saved is None
            or saved.identity != place.identity
            or hour_of(saved.tid) != hour_of(place.tid)
            or place.end - saved.end >= LOOK_BYTES // 2
        ):
            with suppress(StateError):  # which other collectors say at each scrape
                self._save()

    def _begin(self, file: DataFile, identity: Identity) -> tuple[int, int] | None:
        """Return where to read on, and the id before; None while a commit is in the way."""
        place = self._place
        if place and place.identity == identity and _holds(file, place):
            return place.end, place.tid
        try:
            last = tail_of(file).last
        except TornTailError:
            return None
        if last is None:
            self._reach(Place(identity, 0, 0, FIRST_TRANSACTION))
            return FIRST_TRANSACTION, 0
        if place is None:
            self._learn(file, last)
        # Else it was packed, or a backup was restored.
        begin = position_since(file, last, place.tid + 1) if place else (last.end, last.tid)
        if begin[0] == last.end:
            self._reach(Place(identity, last.start, last.tid, last.end))
        return begin

    def _learn(self, file: DataFile, last: Transaction) -> None:
        """Look at the end of a file that was never seen, and count nothing of it."""
        begin = last.end, last.tid
        for transaction in file.backwards(last):
            if transaction.start < last.end - LEARNT_BYTES:
                break
            begin = transaction.start, transaction.tid - 1
        classes = Ranking(NAMED)
        for commit in self._reader.commits(file, *begin):
            if commit.transaction.tid > last.tid:
                break
            self._hours.add(commit)
            for name, (size, records) in commit.classes.items():
                classes.add(name, size, records, 1)
        self._counters.expect(row.key for row in classes.rows(NAMED))

    def _load(self) -> None:
        if self._loaded or self._file is None:
            return
        parts = self._file.load()
        self._loaded = True
        with suppress(ValueError, TypeError, KeyError):  # nothing is kept, or by another version
            kept = json.loads(parts["written"])
            identity, *place = kept["place"]
            counters = ClassCounters.restored(kept["counters"])
            hours = GrowthHours.restored(kept["hours"])
            self._place = Place((int(identity[0]), int(identity[1])), *map(int, place))
            self._saved = self._place
            self._counters, self._hours = counters, hours

    def _save(self) -> None:
        self._saved = self._place
        if self._file is not None and self._place is not None:
            kept = {
                "place": astuple(self._place),
                "counters": self._counters.kept(),
                "hours": self._hours.kept(),
            }
            self._file.save({"written": json.dumps(kept).encode()})


def _holds(file: DataFile, place: Place) -> bool:
    if place.end > file.size():
        return False
    return not place.start or file.transaction(place.start).tid == place.tid
