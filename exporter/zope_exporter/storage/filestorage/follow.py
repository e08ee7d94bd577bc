"""A Data.fs followed from commit to commit, over packs, restarts of ours and cut-off tails."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zope_exporter.system.open_files import Identity
from zope_exporter.system.state import StateError

from .datafile import (
    DataFileMissingError,
    FileStorageError,
    TornTailError,
    file_state,
    opened,
    status,
)
from .followed_sites import FollowedSites
from .format import UNDONE, Transaction
from .reader import DataFile
from .state import Counted, Findings, Known, Store
from .tail import read_tail
from .totals import Totals

LOOK_BYTES = 64 << 20
CHECKPOINT_BYTES = 64 << 20
# No commit takes this long between two writes; what is torn for longer was cut off.
TORN_SECONDS = 60.0
ATTEMPTS = 3
# Of one look, that touch the Plone sites: each costs some milliseconds, and nearly none does.
MOST_TOUCHED = 20


class Followed:
    """One Data.fs; `behind` if there is more to count than one look may take time for."""

    def __init__(
        self, path: Path, store: Store | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.store = store
        self.behind = False
        self._clock = clock
        self._lock = threading.Lock()
        self._known = Known()
        self._loaded = store is None
        self._seen: tuple[int, ...] | None = None
        self._saved = 0
        self._problems: dict[str, Exception] = {}

    @property
    def known(self) -> Known:
        """What is known since the last look."""
        return self._known

    def look(self) -> tuple[Known, list[Exception]]:
        """Count the commits since the last look; return what is known then, and what is wrong.

        Without a commit that is one stat. Raises what `datafile.status` does.
        """
        with self._lock:
            if file_state(status(self.path)) != self._seen:
                self._refresh()
            return self._known, list(self._problems.values())

    def adopt(self, identity: Identity, totals: Totals, sites: FollowedSites | None = None) -> None:
        """Go on from the totals and sites of a scan, unless the file has been replaced since.

        Those that were carried on from commit to commit are put right by that, should a writer
        have named a wrong previous record.
        """
        with self._lock:
            known = self._known
            reached = known.totals.position if known.totals else 0
            if known.identity == identity and reached < totals.position + LOOK_BYTES:
                counted = known.counted or Counted(totals.transactions, totals.tid)
                self._known = replace(
                    known,
                    totals=totals,
                    counted=counted if self._loaded else None,
                    sites=sites,
                )
                self._seen = None
                self._save()

    def found(self, identity: Identity, findings: Findings) -> None:
        """Keep what a scan found, unless the file has been replaced since."""
        with self._lock:
            if self._known.identity == identity:
                self._known = replace(self._known, findings=findings)
                self._save()

    def _refresh(self) -> None:
        self._seen = None
        for _ in range(ATTEMPTS):
            try:
                self._read()
            except DataFileMissingError:  # noqa: PERF203 - for a moment, in the middle of a pack
                raise
            except FileStorageError as problem:
                # A commit that is taken back while it is read may look like damage, once.
                self._problems["file"] = problem
            else:
                self._problems.pop("file", None)
                return

    def _read(self) -> None:
        self._load()
        with opened(self.path) as descriptor:
            file = DataFile(self.path, descriptor)
            found = os.fstat(descriptor)
            self._recognise(file, found)
            counted, totals = self._known.counted, self._known.totals
            try:
                whole = self._catch_up(file, totals) if totals else self._count_new(file)
            finally:
                self._keep(counted)
            if whole:
                self._seen = file_state(found)

    def _recognise(self, file: DataFile, found: os.stat_result) -> None:
        """Forget all but the count of commits if this is not the file that was followed."""
        identity, totals = (found.st_dev, found.st_ino), self._known.totals
        if identity != self._known.identity or (totals and not _holds(file, totals)):
            self._known = Known(self._known.counted, identity)
            self.behind = False

    def _catch_up(self, file: DataFile, totals: Totals) -> bool:
        """Go on to the last committed transaction; False if there is more than that."""
        touched = 0
        end = totals.position + LOOK_BYTES
        self.behind = False
        for transaction in file.transactions(totals.position, totals.tid):
            written = totals.add(file, transaction)
            sites = self._known.sites
            if sites and sites.depend_on(written):
                touched += 1
                after = sites.after(file, transaction) if touched <= MOST_TOUCHED else None
                self._known = replace(self._known, sites=after)
            counted = self._known.counted
            if counted and transaction.tid > counted.tid:
                number = counted.transactions + (transaction.status != UNDONE)
                self._known = replace(self._known, counted=Counted(number, transaction.tid))
            if totals.position >= end:
                self.behind = True
                return False
        if totals.position == file.size():
            return True
        last = self._last()
        following = file.transactions(totals.position, totals.tid)
        if last is not None and last.start >= totals.position and next(following, None) is None:
            raise file.damaged(totals.position, "a transaction before others is unfinished")
        return False

    def _count_new(self, file: DataFile) -> bool:
        """Count the commits that are new since a pack or a restart; False if the end is torn."""
        counted = self._known.counted
        if counted is None:
            return True
        last = self._last()
        if last is None:
            return False
        number = counted.transactions + file.count_after(last, counted.tid)
        # A restored backup ends earlier: the commits after that end are new.
        self._known = replace(
            self._known, counted=Counted(number, file.transaction(last.start).tid)
        )
        return True

    def _last(self) -> Transaction | None:
        """Return the last committed transaction, None while a commit is being written."""
        try:
            return read_tail(self.path).last
        except TornTailError as torn:
            if self._clock() - torn.modified > TORN_SECONDS:
                raise
            return None

    def _load(self) -> None:
        if not self._loaded and self.store:
            try:
                self._known = self.store.load()
            except StateError as problem:
                self._problems["state"] = problem
            else:
                self._loaded = True
                self._saved = self._known.totals.position if self._known.totals else 0

    def _keep(self, before: Counted | None) -> None:
        totals = self._known.totals
        if totals and totals.position - self._saved >= CHECKPOINT_BYTES:
            self._save()
        elif self.store and self._known.counted not in (None, before):
            self._try(self.store.save_counted, self._known.counted)

    def _save(self) -> None:
        totals = self._known.totals
        if self.store and self._loaded and totals:
            self._saved = totals.position
            self._try(self.store.save, self._known)

    def _try(self, save: Callable[..., None], what: object) -> None:
        try:
            save(what)
        except StateError as problem:
            self._problems["state"] = problem
        else:
            self._problems.pop("state", None)


def _holds(file: DataFile, totals: Totals) -> bool:
    """Tell whether a file has not been changed otherwise than by commits."""
    if totals.position > file.size():
        return False
    return not totals.start or file.transaction(totals.start).tid == totals.tid
