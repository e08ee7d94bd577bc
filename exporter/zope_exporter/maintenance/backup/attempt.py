"""One attempt at a backup."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from zope_exporter import __version__
from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.datafile import UnreadableError, opened
from zope_exporter.storage.filestorage.reader import DataFile

from .blob_lists import SUFFIX, listing, sealed
from .chains import piece_names
from .commit import commit, correct_dat
from .copying import STAGE, Copier, Span
from .disk import Disk, Means
from .identity import check_same
from .manifest import NOTHING, Manifest
from .new_blobs import NewBlobs
from .parent import PLACES, ParentFinder, take_marks
from .pool import put_in_pool
from .prune import remove_unfinished
from .repository import Repository
from .room import check_room
from .stamps import names_in, next_stamp, piece_name, taken_stamps, time_of
from .stream_check import find_end
from .target import BackupResult, BackupSettings, ChangedMeanwhileError, Source
from .verification_record import CURRENT, current

HEADERS = 1 << 12
LONGEST_WAIT = 5.0  # seconds


@dataclass
class Run:
    """What does not change from attempt to attempt."""

    source: Source
    repository: Path
    settings: BackupSettings
    report: Report
    means: Means
    listed: Repository

    @property
    def disk(self) -> Disk:
        return self.means.disk

    @property
    def blob_settings(self) -> tuple[Disk, Report, bool]:
        return self.disk, self.report, self.settings.hard_links

    def attempt(self) -> BackupResult:
        """Make a backup, full or not, if there is anything new. Raises ChangedMeanwhileError."""
        self.report.stage("looking for what is new")
        # All is read from this one descriptor: whatever a pack puts in its place is another file.
        with held(self.source.data_fs) as descriptor, ThreadPoolExecutor(4) as pool:
            attempt = self.look(descriptor, pool)
            if attempt.nothing_new:
                self._mend(attempt.listed)
                return self._unchanged(attempt.parent, attempt.began)
            return attempt.make(pool)

    def look(self, descriptor: int, pool: ThreadPoolExecutor) -> "Attempt":
        """Find out what there is to do for the open Data.fs; nothing is written."""
        began = self.means.clock()
        listed, data_fs = self.listed, self.source.data_fs
        with reading(data_fs):
            parent = self._parent(listed, ParentFinder(descriptor, self.report, pool))
            if not parent.pieces:
                check_same(descriptor, data_fs, listed, self.report)
            file = DataFile(data_fs, descriptor, HEADERS)
            end = find_end(file, parent.end, parent.tid)
        span = Span(descriptor, file.path, parent.end, end, parent.tid)
        if span.end < file.size():
            self.report.say("what follows the last whole transaction is left out")
        return Attempt(self, listed, parent, span, began)

    def _parent(self, listed: Repository, finder: ParentFinder) -> Manifest:
        """Return what to go on from; NOTHING means a full backup."""
        if self.settings.full or not listed.backups:
            return NOTHING
        newest = listed.backups[-1]
        if len(newest.pieces) >= self.settings.most_pieces:
            self.report.say(f"a full backup, after {len(newest.pieces)} pieces")
            return NOTHING
        if newest.problem and not newest.unfinished:
            self.report.say(f"not going on from {newest.pieces[-1].name}: {newest.problem}")
            return NOTHING
        manifest = newest.manifest
        if manifest and (manifest.blobs is None) != (self.source.blob_dir is None):
            self.report.say("blobs were added to, or taken from, the database: a full backup")
            return NOTHING
        return finder.find(newest) or NOTHING

    def _mend(self, listed: Repository) -> None:
        """Copy again what the newest backup was found to have lost of its blobs."""
        newest, blob_dir = listed.newest, self.source.blob_dir
        if blob_dir and newest and newest.record and not newest.record.ok:
            with NewBlobs(listed, blob_dir, *self.blob_settings) as blobs:
                blobs.mend(newest)

    def _unchanged(self, manifest: Manifest, began: float) -> BackupResult:
        self.report.say(f"nothing new since {manifest.stamp}")
        correct_dat(self.disk, self.repository, manifest)
        path = self.repository / (manifest.stamp + CURRENT)
        self.disk.replace(path, current(manifest.stamp, began, manifest.tid))
        return result(manifest, "unchanged", 0)


@dataclass
class Attempt:
    """The making of one backup, which covers the database as it was at the time `began`."""

    run: Run
    listed: Repository
    parent: Manifest
    span: Span
    began: float

    @property
    def nothing_new(self) -> bool:
        return bool(self.parent.stamp) and self.span.end == self.parent.end

    def make(self, pool: ThreadPoolExecutor) -> BackupResult:
        """Copy what is new, put blobs beside it, and commit both."""
        disk, repository = self.run.disk, self.run.repository
        with (
            disk.temporary(repository) as copy,
            disk.temporary(repository) as directory,
            self._new_blobs() as blobs,
        ):
            new_bytes = 0 if self._adopts else self.span.end - self.span.start
            check_room(self.listed, new_bytes, self.run.settings.gzip, blobs)
            manifest = self._copied(copy, pool)
            if blobs is not None:
                manifest = self._with_blobs(manifest, blobs, directory)
            self._check_alone()
            commit(disk, repository, manifest, copy)
        own = manifest.pieces[-1]
        if not self.parent.pieces and self.listed.backups and self.listed.backups[-1].unfinished:
            remove_unfinished(disk, self.listed.backups[-1], self.run.report.say)
        if self._adopts:
            return result(manifest, "unchanged", 0)
        return result(manifest, "full" if own.full else "incremental", own.size)

    def _copied(self, target: Path, pool: ThreadPoolExecutor) -> Manifest:
        """Copy the new part of the Data.fs, if there is any, and describe all that is covered."""
        if self._adopts:  # pieces that repozo made, and nothing after them
            return self._manifest(self.parent)
        run, span = self.run, self.span
        run.report.stage(STAGE, span.end - span.start)
        stamp = next_stamp(self.began, taken_stamps(run.repository))
        self._await(stamp)
        spacing = max((span.end - span.start) // PLACES, 1)
        name = piece_name(stamp, not self.parent.pieces, run.settings.gzip)
        piece, passed = Copier(run.disk, run.report, pool).copy(span, target, name, spacing)
        parent = self.parent
        covered = replace(
            parent,
            pieces=(*parent.pieces, piece),
            tid=passed.tid,
            last=passed.last or parent.last,
            transactions=parent.transactions + passed.transactions,
            records=parent.records + passed.records,
            marks=take_marks(span.descriptor, passed.places, span.end),
            inherited=len(parent.pieces),
            earlier=parent.fingerprint,
        )
        if not parent.stamp:  # pieces that repozo made: no manifest tells of them yet
            covered = replace(covered, marks=covered.fingerprint, inherited=0, earlier=())
        return self._manifest(covered)

    def _manifest(self, covered: Manifest) -> Manifest:
        status = os.fstat(self.span.descriptor)
        return replace(
            covered,
            stamp=covered.pieces[-1].stamp,
            site=self.run.source.site,
            database=self.run.source.database,
            tool=f"zope-exporter {__version__}",
            made=self.began,
            previous=self._previous(covered),
            device=status.st_dev,
            inode=status.st_ino,
            blobs=None,
        )

    def _previous(self, covered: Manifest) -> str:
        stamps = [piece.stamp for piece in covered.pieces[:-1]]
        known = [each.stamp for each in self.listed.backups if each.manifest]
        return max((stamp for stamp in known if stamp in stamps), default="")

    @property
    def _adopts(self) -> bool:
        return bool(self.parent.pieces) and self.span.end == self.parent.end

    @contextmanager
    def _new_blobs(self) -> Iterator[NewBlobs | None]:
        """Look for blobs that are new, before any is copied."""
        blob_dir = self.run.source.blob_dir
        if blob_dir is None:
            yield None
            return
        with NewBlobs(self.listed, blob_dir, *self.run.blob_settings) as blobs:
            blobs.look(self.parent)
            yield blobs

    def _with_blobs(self, manifest: Manifest, blobs: NewBlobs, directory: Path) -> Manifest:
        """Bring the new blobs into the pool, and list them."""
        disk, repository = self.run.disk, self.run.repository
        found = blobs.bring(directory, manifest.tid)
        self._check_same()
        put_in_pool(disk, directory, blobs.brought)
        list_file = listing(found, blobs.base)
        disk.replace(repository / (manifest.stamp + SUFFIX), list_file)
        return replace(manifest, blobs=sealed(found, list_file, blobs.since))

    def _check_alone(self) -> None:
        """Make sure that no repozo, which takes no lock, has put a piece after the same bytes."""
        before = {backup.pieces[-1].name for backup in self.listed.backups}
        now = set(piece_names(names_in(self.run.repository)))
        if now != before:
            names = ", ".join(sorted(now ^ before))
            reason = f"meanwhile another program changed {self.run.repository}: {names}"
            raise ChangedMeanwhileError("backing up", reason, "run only one of them")

    def _check_same(self) -> None:
        """Make sure that no pack, which removes blobs after it, has replaced the Data.fs."""
        path = self.run.source.data_fs
        try:
            same = os.path.samestat(path.stat(), os.fstat(self.span.descriptor))
        except FileNotFoundError:  # in the middle of it
            same = False
        if not same:
            reason = f"{path} was replaced while its blobs were backed up"
            raise ChangedMeanwhileError(
                "backing up blobs", reason, "let packs and backups alternate"
            )

    def _await(self, stamp: str) -> None:
        """Wait for the second of a stamp, or warn of one that is far away."""
        moment = time_of(stamp)
        ahead = moment.timestamp() - self.run.means.clock() if moment else 0.0
        if 0 < ahead <= LONGEST_WAIT:
            self.run.means.pause(ahead)
        elif ahead > 0:
            self.run.report.say(
                "the clock was set back since the last backup, or was wrong then: to go after it,"
                f" this one is stamped {stamp}; until then `repozo -R` needs `-D {stamp}` to see it"
            )


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Give a descriptor of the Data.fs; what fails later may be the fault of another file."""
    with opened(path) as first:
        descriptor = os.dup(first)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise FileStorageError for an error of what is open; those of other files have names."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error


def result(manifest: Manifest, kind: str, written: int) -> BackupResult:
    return BackupResult(
        stamp=manifest.stamp,
        kind=kind,
        tid=manifest.tid,
        transactions=manifest.transactions,
        records=manifest.records,
        size=written,
        blobs=manifest.blobs.files if manifest.blobs else 0,
    )
