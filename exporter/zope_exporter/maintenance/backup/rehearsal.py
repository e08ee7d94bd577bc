"""What a backup would write and remove, said without doing it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.system.humanize import size

from .attempt import Attempt, Run, held
from .disk import Means
from .identity import check_names
from .manifest import Piece
from .prune import outdated
from .repository import Backup, Repository, read_repository
from .stamps import next_stamp, piece_name
from .target import BackupSettings, Source


def rehearse(
    source: Source,
    repository: Path,
    settings: BackupSettings,
    report: Report,
    means: Means | None = None,
) -> None:
    """Say what a backup would write, and what it would remove then; nothing is touched.

    Raises ActionError where the backup would fail for what can be seen beforehand.
    """
    try:
        listed = read_repository(repository)
        check_names(listed, source.site, source.database)
        run = Run(source, repository, settings, report, means or Means(), listed)
        report.stage("looking for what is new")
        with held(source.data_fs) as descriptor, ThreadPoolExecutor(4) as pool:
            attempt = run.look(descriptor, pool)
    except FileStorageError as error:
        raise ActionError("reading the Data.fs", str(error)) from error
    except OSError as error:
        raise ActionError("looking", f"{error.filename}: {error.strerror}") from error
    report.say(_written(attempt, settings))
    listed = attempt.listed if attempt.nothing_new else _with_another(attempt)
    for stamp in outdated(listed, settings.keep_full, settings.keep, attempt.began):
        gone = [backup for backup in listed.backups if backup.generation == stamp]
        report.say(
            f"{stamp} and {len(gone) - 1} after it would be removed,"
            f" {size(sum(backup.size for backup in gone))} without blobs"
        )
    report.say("nothing was done")


def _written(attempt: Attempt, settings: BackupSettings) -> str:
    count = attempt.span.end - attempt.parent.end
    packed = ", less when compressed" if settings.gzip else ""
    blobs = "" if attempt.run.source.blob_dir is None else ", and the blobs that are new"
    if attempt.nothing_new:
        return f"there is nothing new since {attempt.parent.stamp}"
    if not attempt.parent.pieces:
        return f"a full backup would be made: {size(count)}{packed}{blobs}"
    after = attempt.parent.pieces[-1].stamp
    return f"an incremental backup after {after} would be made: {size(count)}{packed}{blobs}"


def _with_another(attempt: Attempt) -> Repository:
    """Return the backups as they would be, with the new one."""
    listed = attempt.listed
    stamp = next_stamp(attempt.began, [backup.stamp for backup in listed.backups])
    parent = attempt.parent.pieces
    own = Piece(piece_name(stamp, not parent, False), 0, 0, "")
    new = Backup(listed.path, stamp, (*parent, own))
    return replace(listed, backups=(*listed.backups, new))
