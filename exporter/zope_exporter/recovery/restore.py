"""Restoring a Data.fs and its blobs to a new place, or over those of a stopped site.

All is written and proven under names of its own first. Then the blobs of before are kept by hard
links, those of the backup are added to them, and one rename exchanges the Data.fs. At every moment
the Data.fs that is there, the old or the new one, is whole and finds all its blobs; a run that was
cut off is made good by running it again.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.durable import sync_directory, sync_file
from zope_exporter.filestorage.census import Census
from zope_exporter.filestorage.errors import FileStorageError
from zope_exporter.filestorage.walk import walk
from zope_exporter.jobs.report import ActionError, RefusedError, Report
from zope_exporter.wording import size

from . import blob_files
from .blob_records import missing_blobs
from .files import is_there
from .rescue import explain
from .source import Source
from .stopped import kept_closed

STAGE = "restore"
HEADROOM = 16 << 20


@dataclass(frozen=True)
class Place:
    """Where to restore to; `stamp` tells the files of before from those of other restores."""

    data_fs: Path
    blob_dir: Path | None
    stamp: str
    headroom: int = HEADROOM

    def beside(self, suffix: str) -> Path:
        return self.data_fs.with_name(self.data_fs.name + suffix)

    @property
    def kept(self) -> Path:
        return self.beside(f".before-restore-{self.stamp}")

    @property
    def kept_blobs(self) -> Path | None:
        name = self.blob_dir and f"{self.blob_dir.name}.before-restore-{self.stamp}"
        return self.blob_dir.with_name(name) if self.blob_dir and name else None


def restore(source: Source, place: Place, report: Report) -> None:
    """Restore; the caller has made sure that nobody uses the place.

    Raises RefusedError when nothing was touched, InterruptedActionError, and ActionError, in which
    case the Data.fs is that of before.
    """
    report.stage("preconditions")
    try:
        _check(source, place, report)
        with kept_closed(place.data_fs):
            source.verify(report)
            _clean(place)
            written = place.beside(f".restoring-{place.stamp}")
            try:
                _write(source, place, written, report)
                _exchange(source, place, written, report)
            finally:
                written.unlink(missing_ok=True)
    except OSError as error:
        reason = f"{error.filename or place.data_fs}: {error.strerror}"
        raise ActionError(STAGE, reason, _state(place)) from error


def _check(source: Source, place: Place, report: Report) -> None:
    data_fs = place.data_fs
    if not data_fs.parent.is_dir():
        raise RefusedError("missing", f"{data_fs.parent} is no directory", "make it first")
    if data_fs.is_symlink() or (data_fs.exists() and not data_fs.is_file()):
        raise RefusedError("place", f"{data_fs} is not a regular file", "name the file itself")
    if not data_fs.exists() and place.beside(".old").exists() and place.beside(".pack").exists():
        found = explain(data_fs, report)
        if found and found.best:
            remedy = "zope-exporter recover --rescue-pack does it; or move both files away"
            raise RefusedError("rescue", found.text, remedy)
    system = os.statvfs(data_fs.parent)
    free, needed = system.f_bavail * system.f_frsize, source.size + place.headroom
    if free < needed:
        reason = f"{size(needed)} are needed beside {data_fs}, and {size(free)} are free"
        raise RefusedError("room", reason, "make room on that file system")


def _clean(place: Place) -> None:
    """Remove what runs that were cut off had begun; nobody else runs while we hold the lock."""
    for left in place.data_fs.parent.glob(f"{place.data_fs.name}.restoring-*"):
        left.unlink()
    if place.blob_dir is not None:
        blob_files.remove_unfinished(place.blob_dir)


def _write(source: Source, place: Place, written: Path, report: Report) -> None:
    source.write(written, report)
    is_over = is_there(place.data_fs)
    owner = (place.data_fs if is_over else place.data_fs.parent).stat()
    if os.geteuid() == 0:
        os.chown(written, owner.st_uid, owner.st_gid)
    if is_over:
        written.chmod(owner.st_mode & 0o7777)
    sync_file(written)


def _exchange(source: Source, place: Place, written: Path, report: Report) -> None:
    report.stage("reading what was written", source.size)
    try:
        census = walk(written, report.advance)
    except FileStorageError as error:
        raise ActionError("verification", str(error)) from error
    if place.blob_dir is None or source.blobs is None:
        _check_blobs(written, census, place.blob_dir)
    if place.blob_dir is not None and place.kept_blobs is not None and source.blobs is not None:
        if is_there(place.blob_dir):
            blob_files.keep(place.blob_dir, place.kept_blobs, report)
        blob_files.add(source.blobs, place.blob_dir, written.stat(), report)
        _check_blobs(written, census, place.blob_dir)
    report.check()
    report.stage("exchanging the Data.fs")
    # Neither that one, which is of another file, nor that of a backup, whose pickle would be run.
    place.beside(".index").unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # a new place
        place.kept.hardlink_to(place.data_fs)
    written.rename(place.data_fs)
    sync_directory(place.data_fs.parent)
    if place.blob_dir is not None and source.blobs is not None:
        blob_files.remove_others(source.blobs, place.blob_dir, report)
    report.say(_state(place))
    if place.beside(".old").exists():
        report.say(
            f"{place.beside('.old')} is of the Data.fs of before: move it away, or no pack is made"
            " while it has later transactions"
        )


def _check_blobs(written: Path, census: Census, blob_dir: Path | None) -> None:
    try:
        missing = missing_blobs(written, census, blob_dir)
    except FileStorageError as error:
        raise ActionError("verification", str(error)) from error
    if missing:
        where = f"such as {missing[0]}" if blob_dir else "and no blob directory is given"
        raise ActionError(
            "verification",
            f"{len(missing)} blobs that the Data.fs needs are missing, {where}",
            "give the blobs of the backup, and the blob directory of the site",
        )


def _state(place: Place) -> str:
    """Say what is on the disk."""
    try:
        return _seen(place)
    except OSError as error:
        return f"which {place.data_fs} is there cannot be seen: {error.strerror}"


def _seen(place: Place) -> str:
    kept = [str(path) for path in (place.kept, place.kept_blobs) if path and path.exists()]
    if place.kept.exists() and not place.kept.samefile(place.data_fs):
        return f"{place.data_fs} is the restored one; that of before is kept: {', '.join(kept)}"
    also = f"; {', '.join(kept)} can be deleted" if kept else ""
    there = "is the one of before, untouched" if place.data_fs.exists() else "is not there"
    return f"{place.data_fs} {there}{also}"
