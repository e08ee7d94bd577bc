"""Verifying a repository: that each backup is whole, and that the newest one works."""

import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
)
from zope_exporter.storage.filestorage.datafile import FileStorageError, opened

from .blob_check import BlobCheck
from .disk import Means
from .identity import NAMES, OtherDatabaseError, check_same, other_names
from .manifest import Piece
from .pieces import damage
from .repository import Backup, Repository, read_repository, shared
from .stamps import BLOBS
from .target import Source
from .verification_record import VERIFIED, Faults, Level, VerificationRecord

LASTING = "/var/tmp"  # noqa: S108 - what is made in it is a directory of our own


@dataclass(frozen=True)
class Verdict:
    """What a verification found: every failure begins with the name of what is bad.

    The level `restore` is of the newest complete backup, with that `stamp`, and so are the counts;
    of the others all pieces were read. `failures` of any backup count. `database_faults` are about
    the database: the backup is a faithful copy of it, damage and all.
    """

    level: Level
    stamp: str
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()
    transactions: int = 0
    records: int = 0
    objects: int = 0
    database_faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.failures


def verify(
    repository: Path,
    level: Level,
    report: Report,
    source: Source | None = None,
    means: Means | None = None,
) -> Verdict:
    """Verify a repository, and note beside each backup how it fared.

    With a `source` that still has what the newest backup holds, both are compared. Raises
    RefusedError (`busy`, `room`, `missing`) and ActionError if there can be no verdict.
    """
    means = means or Means()
    with held(repository):
        return Verification(read_repository(repository), level, report, means).run(source)


def inspect(repository: Path, level: Level, report: Report) -> Verdict:
    """Verify a repository that may be read-only, or a copy: nothing is written there.

    What is restored on trial goes to the directory of temporary files that outlast a restart, or to
    that of the variable TMPDIR. Raises as `verify` does.
    """
    with held(repository), tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        listed = read_repository(repository)
        return Verification(listed, level, report, Means(), Path(scratch)).run(None)


def _scratch() -> str | None:
    """Return where there is room for a database: seldom in /tmp, which may be in memory."""
    wanted = "TMPDIR" not in os.environ and os.access(LASTING, os.W_OK)
    return LASTING if wanted else None


@contextmanager
def held(repository: Path) -> Iterator[None]:
    """Keep away who changes the repository; every error names what to do."""
    try:
        with shared(repository):
            yield
    except FileNotFoundError as error:
        raise RefusedError("missing", f"{error.filename} is not there", "make a backup") from error
    except OSError as error:
        reason = f"{error.strerror or error}: {error.filename or repository}"
        raise ActionError("verifying", reason, "look at the disk") from error


@dataclass
class Verification:
    """A verification of all that is listed; with a `scratch` directory nothing is noted."""

    listed: Repository
    level: Level
    report: Report
    means: Means
    scratch: Path | None = None
    failures: dict[str, dict[str, None]] = field(default_factory=dict)  # by stamp, "" for none
    notes: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)  # pieces
    counts: tuple[int, int, int] = (0, 0, 0)
    faults: Faults | None = None  # of the database
    others: dict[str, str] = field(default_factory=dict)  # backups of other databases
    blobs: BlobCheck = field(init=False)

    def __post_init__(self) -> None:
        self.blobs = BlobCheck(self.listed.path, self.report)

    def run(self, source: Source | None) -> Verdict:
        newest = self.listed.newest
        self._check_identity(source)
        for problem in self.listed.problems:
            self._fail("", problem)
        if not self.listed.backups:
            self._fail("", f"{self.listed.path}: there is no backup")
        for backup in self.listed.backups:
            if backup.problem:
                self._fail(backup.stamp, f"{backup.pieces[-1].name}: {backup.problem}")
        with self.blobs:
            self.look(newest, source)
        try:
            if self.scratch is None:
                self._keep(newest)
        except OSError as error:  # what was found is worth more than where it is noted
            where = error.filename or self.listed.path
            self._fail("", f"{where}: this result cannot be kept: {error.strerror}")
        failures = dict.fromkeys(text for texts in self.failures.values() for text in texts)
        stamp = newest.stamp if newest else ""
        faults = self.faults.sentences if self.faults else ()
        return Verdict(self.level, stamp, tuple(failures), tuple(self.notes), *self.counts, faults)

    def look(self, newest: Backup | None, source: Source | None) -> None:
        """Look at what the level asks for."""
        for backup in self.listed.complete:
            self._check_listing(backup)
        if self.level >= Level.RESTORE and newest:
            self._restore(newest, source)
        if self.level >= Level.CHECKSUMS:
            self._read_all(newest)

    def is_judged(self, backup: Backup) -> bool:
        """Tell whether enough was looked at to say of a backup without failures that it is good."""
        return backup.complete

    def _fail(self, stamp: str, text: str) -> None:
        if not any(text in texts for texts in self.failures.values()):  # of one with the same blob
            self.report.say(text)
        self.failures.setdefault(stamp, {})[text] = None

    def _check_identity(self, source: Source | None) -> None:
        """Make sure that these are backups of the database that is meant, if any is."""
        if source is None:
            return
        self.others = other_names(self.listed, source.site, source.database)
        for text in self.others.values():
            self._fail("", f"{text} ({NAMES})")
        if not self.others:
            self.check_contents(source)

    def check_contents(self, source: Source) -> None:
        """Make sure of it by the transactions of the Data.fs."""
        try:
            with opened(source.data_fs) as descriptor:
                check_same(descriptor, source.data_fs, self.listed, self.report)
        except OtherDatabaseError as error:
            self._fail("", f"{error.reason} ({error.remedy})")
        except FileStorageError as error:
            self.notes.append(f"not compared with the Data.fs: {error}")

    def _check_listing(self, backup: Backup) -> None:
        try:
            for fault in self.blobs.sizes(backup):
                self._fail(backup.stamp, fault.text)
        except ActionError as error:
            self._fail(backup.stamp, error.reason)

    def _restore(self, backup: Backup, source: Source | None) -> None:
        from .restore_test import RestoreTest  # with numpy, which the lower levels do without

        test = RestoreTest(backup, self.report, self.means.disk, self.scratch)
        test.run(source)
        for failure in test.failures:
            self._fail(backup.stamp, failure)
        self.bad |= test.bad
        self.notes += test.notes
        self.counts = test.counts
        self.faults = test.database_faults
        for sentence in self.faults.sentences if self.faults else ():
            self.report.say(f"the database itself is damaged: {sentence}")

    def _read_all(self, newest: Backup | None) -> None:
        """Read every piece once, but those that were restored, and all blobs."""
        restored = newest.pieces if newest and self.level >= Level.RESTORE else ()
        done = {piece.name for piece in restored} if not self.bad else set()
        for backup in self.listed.complete:
            self.read(backup, backup.pieces[-1:], done)

    def damage(self, backup: Backup, piece: Piece) -> str:
        """Tell what is wrong with a piece, also for repozo, which goes by its MD5 sum."""
        return damage(backup.repository, piece, self.report)

    def read(self, backup: Backup, pieces: Sequence[Piece], done: Collection[str]) -> None:
        """Read these pieces of a backup but for those that are done, and its blobs."""
        for piece in pieces:
            if piece.name not in done and (reason := self.damage(backup, piece)):
                self.bad[piece.name] = reason
        for piece in backup.pieces:
            if piece.name in self.bad:
                self._fail(backup.stamp, f"{piece.name}: {self.bad[piece.name]}")
        try:
            for fault in self.blobs.contents(backup):
                self._fail(backup.stamp, fault.text)
        except InterruptedActionError:
            raise
        except ActionError as error:
            self._fail(backup.stamp, error.reason)

    def _keep(self, newest: Backup | None) -> None:
        """Note how each backup fared, unless it was looked at more thoroughly before."""
        for backup in self.listed.backups:
            if backup.stamp in self.others:  # nobody's to judge who does not know the database
                continue
            for name in backup.spoilt:
                self.means.disk.discard(self.listed.path / name)
            level = self.level if backup is newest else min(self.level, Level.CHECKSUMS)
            failures = tuple(self.failures.get(backup.stamp, ()))
            known = backup.record
            better = known is None or level >= known.level or _of_blobs_alone(known)
            if failures or (better and self.is_judged(backup)):
                counts = self.counts if backup is newest else (0, 0, 0)
                faults = self.faults.count if backup is newest and self.faults else None
                now = self.means.clock()
                record = VerificationRecord(
                    *(backup.stamp, level, now, failures, backup.seal, *counts, faults)
                )
                path = self.listed.path / (backup.stamp + VERIFIED)
                self.means.disk.replace(path, record.encoded())


def _of_blobs_alone(record: VerificationRecord) -> bool:
    """Tell whether all that was wrong can have been made good: blobs are brought again."""
    return not record.ok and all(text.startswith(f"{BLOBS}/") for text in record.failures)
