"""Backing up a database, with its repository locked from the first look to the end."""

import errno
import os
from dataclasses import replace
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.system.foreign_root import real_path

from .attempt import Run
from .disk import Disk, Means
from .identity import check_names
from .prune import clean, clean_orphans, outdated, remove_generations
from .repository import exclusive, read_repository
from .stamps import BLOBS
from .target import BackupResult, BackupSettings, ChangedMeanwhileError, Source

ATTEMPTS = 3


def backup(
    source: Source,
    repository: Path,
    settings: BackupSettings,
    report: Report,
    means: Means | None = None,
) -> BackupResult:
    """Back up a database to a repository, which is made if need be.

    Raises RefusedError (`busy`, `place`, `room`) if nothing was begun, ActionError if it failed;
    then the earlier backups are as they were. OtherDatabaseError is one of them: the repository
    holds backups of another database.
    """
    means = means or Means()
    disk = means.disk
    try:
        _make(disk, repository, report)
        _check_place(source, repository)
        with exclusive(repository):
            listed = read_repository(repository)
            check_names(listed, source.site, source.database)
            if clean(disk, repository, report.say):
                listed = read_repository(repository)
            run = Run(source, repository, settings, report, means, listed)
            return _tidied(run, _backed_up(run))
    except FileStorageError as error:
        raise ActionError("reading the Data.fs", str(error)) from error
    except OSError as error:
        raise ActionError("writing the backup", _told(error), _remedy(error)) from error


def _backed_up(run: Run, attempts: int = ATTEMPTS) -> BackupResult:
    try:
        return run.attempt()
    except ChangedMeanwhileError as error:
        if attempts == 1:
            raise
        run.report.say(f"{error}; trying again")
    return _backed_up(replace(run, listed=read_repository(run.repository)), attempts - 1)


def _tidied(run: Run, result: BackupResult) -> BackupResult:
    """Remove what need not be kept, now that the result is there; say so in it."""
    report, disk, repository, settings = run.report, run.disk, run.repository, run.settings
    report.stage("removing old backups")
    known = any(each.manifest and each.stamp == result.stamp for each in run.listed.backups)
    listed = run.listed if known else read_repository(repository)
    removed = outdated(listed, settings.keep_full, settings.keep, run.means.clock())
    if removed:
        remove_generations(disk, repository, removed, report.say)
    for stamp in removed:
        report.say(f"removed {stamp} and the incremental backups after it")
    clean_orphans(disk, repository, report.say)
    return replace(result, removed=tuple(removed))


def _make(disk: Disk, repository: Path, report: Report) -> None:
    missing = [path for path in (repository, *repository.parents) if not path.exists()]
    for directory in reversed(missing):
        disk.make_directory(directory)
        disk.sync_directory(directory.parent)
    if missing and missing[-1].stat().st_uid == 0:
        report.say(
            f"{missing[-1]} was made and belongs to root;"
            " if another user is to make backups too, chown -R it"
        )


def _remedy(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"it has to belong to the user that makes the backups, uid {os.geteuid()}: chown -R"
    if error.errno == errno.EROFS:
        return "name it in ReadWritePaths= of the unit, or mount it for writing"
    return "make room, or look at the disk"


def _check_place(source: Source, repository: Path) -> None:
    data_fs, place = (Path(real_path(path)) for path in (source.data_fs, repository))
    remedy = "give the backups a directory of their own"
    if data_fs.parent == place:
        raise RefusedError("place", f"{repository} holds the Data.fs itself", remedy)
    if source.blob_dir is not None:
        blobs = Path(real_path(source.blob_dir))
        # Whatever deletes all blobs deletes what is within them.
        if place.is_relative_to(blobs) or blobs.is_relative_to(place):
            reason = f"{repository} and the blobs in {source.blob_dir} are within each other"
            raise RefusedError("place", reason, remedy)
        if (repository / BLOBS).is_symlink():
            # Only the repository itself may be one: what is below is looked up within it.
            reason = f"{repository / BLOBS} is a symbolic link, and none is followed there"
            remedy = "move what it leads to in its place, or all of the repository to that disk"
            raise RefusedError("place", reason, remedy)


def _told(error: OSError) -> str:
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
