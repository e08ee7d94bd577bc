"""`restore` and `recover`: of the shell only, for whoever stands before a broken site."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from zope_exporter.maintenance.jobs.report import (
    ActionError,
    RefusedError,
    Report,
)
from zope_exporter.system.log_format import set_up_logging

from .flags import SEARCH_SECONDS, config_flag, exit_on_user_error, read_config

if TYPE_CHECKING:
    from zope_exporter.config.schema import Config
    from zope_exporter.maintenance.restore.place import Place
    from zope_exporter.maintenance.restore.source import Source

FILE = click.Path(path_type=Path)
GO_BY_LOCK = (
    "Where processes of other users may not be inspected, accept ZODB's lock as proof that none of"
    " them has the Data.fs open."
)
AT = (
    "Restore the state of this moment, such as 2026-11-22T14:30:00+01:00 (without a zone in that of"
    " this host), or of this transaction id: every commit that a backup or a Data.fs contains,"
    " unless a pack has removed it. Or the stamp of a backup (2026-11-22-13-30-00) for exactly this"
    " one. Default: the last backup."
)
BLOBS = (
    "Blobs to restore in place of the repository's own: a blob directory, or a directory of"
    " collective.recipe.backup that contains one (blobstorage.0, a time, latest)."
)
BLOB_DIR = (
    "Where to restore the blobs: the site's blob directory, which may be a mount point or a link."
    " Without it only the Data.fs is restored, and the number of omitted blobs is printed."
)
ACCEPT_MISSING_BLOBS = (
    "Continue if the backup itself has lost or damaged blobs: they are left out, and named. What"
    " the database lacked when it was backed up does not require this."
)
DRY_RUN = (
    "Do all checks, print what would be restored, and write nothing. The site may be running; if"
    " it had to be stopped, this is printed as a refusal."
)
RESTORE_EXITS = (
    "Exits with 0 when all that was backed up is restored (what the database lacked then is named),"
    " 1 when it failed, 2 for a mistake, 3 when it was refused and nothing was changed, 4 when it"
    " was interrupted and the old Data.fs is in place. The last line says which Data.fs is in"
    " place, always a complete one, and where the old one is."
)
RECOVER_EXITS = (
    "Exits with 0 when nothing is missing, 1 when something is lost or in doubt (it prints what, as"
    " far as it can be known) or when it failed, 2 for a mistake, 3 when it was refused, 4 when it"
    " was interrupted. The contents of records are not checked: damage within the data of an object"
    " is only noticed if they are no longer a pickle, and never if records are encrypted."
    " Transactions that were cut off at the end leave no trace. A proven backup is always better"
    " than the result of this command."
)


@click.command("restore", epilog=RESTORE_EXITS)
@click.argument("source", type=FILE)
@click.argument("data_fs", type=FILE)
@click.option("--at", metavar="TIME", help=AT)
@click.option("--blobs", type=FILE, help=BLOBS)
@click.option("--blob-dir", type=FILE, help=BLOB_DIR)
@click.option("--accept-missing-blobs", is_flag=True, help=ACCEPT_MISSING_BLOBS)
@click.option("--go-by-the-lock", is_flag=True, help=GO_BY_LOCK)
@click.option("--dry-run", is_flag=True, help=DRY_RUN)
@config_flag
def restore_command(
    source: Path,
    data_fs: Path,
    at: str | None,
    blobs: Path | None,
    blob_dir: Path | None,
    accept_missing_blobs: bool,
    go_by_the_lock: bool,
    dry_run: bool,
    config_file: Path | None,
) -> None:
    """Restore SOURCE to DATA_FS, a new place or the Data.fs of a stopped site.

    SOURCE is a repository of zope-exporter or repozo, or a copy of a Data.fs. It is proven before
    anything is changed. The old Data.fs and blobs are kept as *.before-restore-TIME, the blobs in
    the blob directory itself if that is a mount point or has no hard links. If the Data.fs is
    missing after an aborted pack, the command says which file beside it is complete.
    """
    from zope_exporter.maintenance.restore.place import Place, stamp_of
    from zope_exporter.maintenance.restore.restore import rehearse, restore

    moment = wanted_moment(at)
    if isinstance(moment, str) and not source.is_dir():
        reason = "only a repository has backups with stamps; give a time"
        raise click.BadParameter(reason, param_hint="--at")
    stamp = stamp_of(time.time())
    place = Place(data_fs.absolute(), blob_dir.absolute() if blob_dir else None, stamp)

    def work(report: Report) -> int:
        with _source(source.absolute(), moment, blobs and blobs.absolute(), report) as wanted:
            if dry_run:
                rehearse(wanted, place, report, accept_missing_blobs)
                _check_stopped(place, go_by_the_lock, config_file, report, try_lock=False)
                return 0
            with _nobody_else(place, go_by_the_lock, config_file, report):
                restore(wanted, place, report, accept_missing_blobs)
        return 0

    _run(work)


def wanted_moment(at: str | None) -> bytes | str | None:
    """Return the moment that is meant, None for the newest."""
    from zope_exporter.maintenance.restore.point_in_time import PointInTimeError, wanted

    try:
        return None if at is None else wanted(at)
    except PointInTimeError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _source(
    path: Path, moment: bytes | str | None, blobs: Path | None, report: Report
) -> "AbstractContextManager[Source]":
    from zope_exporter.maintenance.restore.blob_directory import find_blobs
    from zope_exporter.maintenance.restore.point_in_time import understood
    from zope_exporter.maintenance.restore.repository_source import backup_source
    from zope_exporter.maintenance.restore.source import FileSource

    if blobs is not None:
        given, blobs = blobs, find_blobs(blobs)
        if blobs != given:
            report.say(f"the blobs are taken from {blobs}")
    if isinstance(moment, bytes):
        report.say(f"wanted is the state of {understood(moment)}")
    if path.is_dir():
        return backup_source(path, moment, blobs, report)
    return nullcontext(FileSource(path, blobs, moment if isinstance(moment, bytes) else None))


@click.command("recover", epilog=RECOVER_EXITS)
@click.argument("data_fs", type=FILE)
@click.argument("output", type=FILE, required=False)
@click.option(
    "--rescue-pack",
    is_flag=True,
    help="DATA_FS is missing because a pack was aborted: put the complete one of Data.fs.pack and"
    " Data.fs.old in its place.",
)
@click.option("--go-by-the-lock", is_flag=True, help=GO_BY_LOCK)
@config_flag
def recover_command(
    data_fs: Path,
    output: Path | None,
    rescue_pack: bool,
    go_by_the_lock: bool,
    config_file: Path | None,
) -> None:
    """Write all intact records of the damaged DATA_FS to the new file OUTPUT; print what is lost.

    DATA_FS is only read. Then `zope-exporter restore OUTPUT DATA_FS` puts it in place.
    """
    if rescue_pack == (output is not None):
        raise click.UsageError("give either OUTPUT or --rescue-pack")
    data_fs = data_fs.absolute()
    if output is not None:
        target = output.absolute()
        _run(lambda report: _recover(data_fs, target, report))

    def work(report: Report) -> int:
        from zope_exporter.maintenance.restore.exclusive_access import exclusive_access
        from zope_exporter.maintenance.restore.place import Place
        from zope_exporter.maintenance.restore.rescue import rescue

        with (
            _nobody_else(Place(data_fs, None, ""), go_by_the_lock, config_file, report),
            exclusive_access(data_fs),
        ):
            taken = rescue(data_fs, report)
        report.say(f"{taken} is {data_fs} now")
        return 0

    _run(work)


def _recover(data_fs: Path, output: Path, report: Report) -> int:
    from zope_exporter.maintenance.recover.recover import recover
    from zope_exporter.maintenance.restore.rescue import explain

    missing = explain(data_fs, report)
    if missing is not None:
        raise RefusedError("missing", missing.text, "or: zope-exporter recover --rescue-pack")
    losses = recover(data_fs, output, report)
    for line in losses.lines():
        click.echo(line)
    click.echo(f"{output} has {losses.kept} transactions; {losses.verdict}")
    return int(losses.any)


@contextmanager
def _nobody_else(
    place: "Place", go_by_lock: bool, config_file: Path | None, report: Report
) -> Iterator[None]:
    """Within, nobody has the Data.fs open, nor packs it or backs it up."""
    from zope_exporter.maintenance.jobs.lock import LockPath, Patience, locked
    from zope_exporter.system.state import state_directory

    config = _check_stopped(place, go_by_lock, config_file, report)
    fallback = state_directory(config.state_dir) / "locks" / "restore.lock"
    with locked(LockPath(place.data_fs.parent, fallback), Patience(), report):
        yield


def _check_stopped(
    place: "Place",
    go_by_lock: bool,
    config_file: Path | None,
    report: Report,
    try_lock: bool = True,
) -> "Config":
    from zope_exporter.config.search import search
    from zope_exporter.maintenance.restore.exclusive_access import check_stopped

    report.stage("looking for processes")
    config = read_config(config_file)
    services = [service for _, service in search(config, SEARCH_SECONDS).services()]
    check_stopped(place.data_fs, services, go_by_lock, blob_dir=place.blob_dir, try_lock=try_lock)
    return config


def _run(work: Callable[[Report], int]) -> NoReturn:
    """Do it with its progress shown, and end with the exit code."""
    from .foreground import Stoppable, ended_by, ended_by_signals, shown

    set_up_logging("error", "logfmt")
    stopping = threading.Event()
    with exit_on_user_error():
        try:
            with shown() as display, ended_by_signals(stopping):
                code = work(Stoppable(display, stopping))
        except (ActionError, OSError) as error:
            code = ended_by(error)
    sys.exit(code)
