"""Whether a Data.fs is the database that a repository holds the backups of.

If it is not, nothing is backed up there and nothing removed: after a few backups of another
database, the retention would have deleted all of the right one.

1. The names. No manifest may be of another site or database.
2. The transactions. Their ids are times in units of 14 nanoseconds: two databases have none in
   common, and a pack keeps the ids of what it keeps. So a Data.fs is known again by this:
   of all transactions up to the last one backed up it has some, and has none that is in no backup;
   and the last of those it has is the end of a backup, or a pack has since gone past that end, or
   it has nothing later.

What that means for

- commits, undo: the Data.fs begins with the bytes of the newest backup, and nothing is compared;
- a pack: it leaves a part of the transactions backed up. Those of the root object and of other
  old objects stay. Only where all objects were written since, the root among them, and a pack went
  past that, nothing is left to know it by: it is refused, as one made anew looks alike;
- a restore: the Data.fs ends with a backup, or goes on from that end with commits later than all
  that is backed up;
- `recover`: transactions may be missing, but none is unknown. If the last ones are, it is known as
  long as there are no commits after that: back it up before it is used;
- a disk or machine set back to an earlier state: the same; with later commits it is refused, since
  the backups have what was lost;
- another database, or one that Zope made anew since a file system was not mounted: its
  transactions are in no backup, or all later than the last;
- a copy under the same names, such as a site to try things: it cannot be told from the original
  until both have commits; then whichever comes second is refused;
- a migration to Python 3, `zodbupdate`, another layout: commits, or the same ids in other bytes;
- an export to, or a conversion from, another storage with new ids: another database;
- pieces of repozo have no names, but the same transactions;
- a site with a new name: refused for its names.

Backups that cannot be read are not compared with; where none can, nothing speaks against it.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.format import (
    FIRST_TRANSACTION,
    LENGTH,
    PACKED,
    time_of,
)
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DataFile

from .headers import Headers
from .manifest import SUFFIX
from .parent import same_file
from .pieces import DamagedPieceError, contents
from .repository import Backup, Repository
from .stream_check import BrokenStructureError

STAGE = "comparing the transactions with those of the backups"
NAMES = (
    "give each its own repository; if it only got another name, give it the old one back, or move"
    " the old repository away"
)
CONTENTS = (
    "nothing was removed; put the right Data.fs back, or restore the newest backup; if it is meant"
    " to be this one, move the repository away or give the site another"
)


class OtherDatabaseError(ActionError):
    """A repository holds the backups of another database than the one that is meant."""


def other_names(listed: Repository, site: str, database: str) -> dict[str, str]:
    """Return the backups of other databases, by their stamps, and what is to be said of each."""
    return {
        backup.stamp: (
            f"{backup.stamp}{SUFFIX}: it is a backup of {found.database} of {found.site}, and this"
            f" is {database} of {site}"
        )
        for backup in listed.backups
        if (found := backup.manifest) and (found.site, found.database) != (site, database)
    }


def check_names(listed: Repository, site: str, database: str) -> None:
    """Raise OtherDatabaseError if a repository holds backups of another database."""
    for text in other_names(listed, site, database).values():
        raise OtherDatabaseError("looking at the repository", f"{listed.path}: {text}", NAMES)


def begins_later(listed: Repository, data_fs: Path) -> str:
    """Tell, by a look that costs nothing, what is wrong with most Data.fs that were made anew."""
    tid = listed.newest.covered_tid if listed.newest else None
    if tid is None:
        return ""
    try:
        with opened(data_fs) as descriptor:
            first = int.from_bytes(os.pread(descriptor, LENGTH.size, FIRST_TRANSACTION), "big")
    except FileStorageError:  # which its own collector says
        return ""
    return _unknown(data_fs, first, tid) if first > tid else ""


def check_same(descriptor: int, data_fs: Path, listed: Repository, report: Report) -> None:
    """Raise OtherDatabaseError if an open Data.fs is another database than the one backed up.

    Raises FileStorageError where it is damaged.
    """
    newest = listed.newest
    if newest is None or (newest.manifest and same_file(descriptor, newest.manifest)):
        return
    reason, covered = "", 0
    for backup in _newest_of_generations(listed.complete):
        past = _Past(backup, report)
        if past.tids:
            covered = max(covered, past.tids[-1])
            found = past.contradiction(DataFile(data_fs, descriptor, HEADERS_ONLY), covered)
            if not found:
                return
            reason = reason or found
    if reason:
        raise OtherDatabaseError(STAGE, reason, CONTENTS)
    report.say("no backup can be read, and so the Data.fs is compared with none")


def _newest_of_generations(complete: Sequence[Backup]) -> Iterator[Backup]:
    seen = set()
    for backup in reversed(complete):
        if backup.generation not in seen:
            seen.add(backup.generation)
            yield backup


class _Past:
    """The ids of the transactions in a chain of pieces, and of those that a piece ends with."""

    def __init__(self, backup: Backup, report: Report) -> None:
        self.tids = array("Q")
        self._ends: set[int] = set()
        self._stamp = backup.stamp
        report.stage(STAGE, backup.pieces[-1].end)
        headers = Headers()
        with ThreadPoolExecutor(2) as pool:
            try:
                for piece in backup.pieces:
                    found = array("Q")
                    for data in contents(backup.repository, piece, pool):
                        report.check()
                        found.extend(each.tid for each in headers.feed(data))
                        report.advance(len(data))
                    self.tids.extend(found)  # now that its sums are right
                    self._ends.update(found[-1:])
            except (DamagedPieceError, BrokenStructureError) as error:
                report.say(f"compared with no more of {backup.generation}: {error}")

    def contradiction(self, file: DataFile, covered: int) -> str:
        """Tell what speaks against a Data.fs that goes on from here, nothing if all is well.

        Up to the transaction `covered` there are backups, these or others.
        """
        place, shared, unpacked, later = 0, 0, 0, False
        for transaction in file.transactions(FIRST_TRANSACTION, 0):
            tid = transaction.tid
            if transaction.status != PACKED:
                unpacked = unpacked or tid
            if tid > covered:
                later = True
                if unpacked:
                    break
                continue
            place = bisect_left(self.tids, tid, place)
            if place == len(self.tids) or self.tids[place] != tid:
                return _unknown(file.path, tid, covered)
            shared = tid
        if not shared:
            first = int.from_bytes(file.read(LENGTH.size, FIRST_TRANSACTION), "big") if later else 0
            return _unknown(file.path, first, covered)
        was_packed = file.transaction(FIRST_TRANSACTION).status == PACKED
        gone_past = was_packed and (not unpacked or unpacked > self.tids[-1])
        if not later or gone_past or shared in self._ends:
            return ""
        return (
            f"{file.path} lacks what backup {self._stamp} has after {_shown(shared)}, and has later"
            " transactions: it was set back, but not to a backup"
        )


def _unknown(data_fs: Path, tid: int, covered: int) -> str:
    if not tid:
        return f"{data_fs} holds no transaction, and the backups do"
    if tid > covered:
        return (
            f"{data_fs} has nothing of what was backed up: it begins at {_shown(tid)}, after the"
            f" last transaction in a backup, of {_shown(covered)}. It is another database, or was"
            " made anew, as Zope does where a file system is not mounted"
        )
    return (
        f"{data_fs} has a transaction of {_shown(tid)} that is in no backup, though all up to"
        f" {_shown(covered)} should be: it is another database, or a copy that went its own way"
    )


def _shown(tid: int) -> str:
    when = datetime.fromtimestamp(time_of(tid.to_bytes(8, "big")), timezone.utc)
    return f"{when:%Y-%m-%dT%H:%M:%S.%fZ}"
