"""One pack from the first question to the last look."""

import time
from collections.abc import Callable
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError, status
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.open_files import Identity

from .preconditions import check, settled
from .target import (
    STAGE,
    LostError,
    PackResult,
    PackSettings,
    PackTarget,
    Running,
    Sizes,
    StillRunningError,
    UnseenError,
)
from .usage import Growth, blob_leftovers, leftovers, measured, runs


def pack(
    target: PackTarget,
    settings: PackSettings,
    report: Report,
    clock: Callable[[], float] = time.time,
) -> PackResult:
    """Pack a database, whose lock the caller holds.

    Raises RefusedError when nothing was begun, StillRunningError when nobody can tell whether the
    pack has ended, InterruptedActionError, and ActionError.
    """
    report.stage("preconditions")
    check(target, settings, report, clock)
    before = measured(target.storage, report)
    began = time.monotonic()
    _pack(target, settings, before, report)
    report.stage("looking at the result")
    after = measured(target.storage, report)
    left = tuple(leftovers(target.storage, clock()))
    seconds = time.monotonic() - began
    result = PackResult(target.engine.name, seconds, before, after, left)
    _summarise(result, report)
    return result


def _pack(target: PackTarget, settings: PackSettings, before: Sizes, report: Report) -> None:
    estimate = max((before.data or 0) - settings.surely_freed, 0)
    report.stage(f"{STAGE} through {target.engine.name}", estimate)
    for left in blob_leftovers(target.storage):
        report.say(left)
    was = _identity(target.data_fs)
    growth = Growth(target.data_fs, report)
    with target.engine.begin(settings.days, report) as running:
        try:
            _wait(running, growth, settings, report)
        except InterruptedActionError:
            if running.beyond_us:
                report.say(f"not waited for any longer: {running.beyond_us}")
            raise
        except LostError as lost:
            _judge_by_file(target, was, growth, lost)


def _wait(running: Running, growth: Growth, settings: PackSettings, report: Report) -> None:
    """Wait for the end; raises UnseenError where nothing is seen of the pack for too long."""
    seen, since = None, time.monotonic()
    while not running.ended(settings.poll_seconds):
        growth.look()
        report.check()
        now = growth.file, running.seen()
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > settings.max_quiet:
            quiet = f"nothing was seen of the pack for {duration(settings.max_quiet)}"
            if running.beyond_us:
                raise UnseenError(f"{quiet}, max_quiet of actions.pack")
            remedy = "begin it again; if it needs that long, set max_quiet of actions.pack"
            raise ActionError(STAGE, f"{quiet}, and it is stopped", remedy)


def _identity(data_fs: Path | None) -> Identity | None:
    if data_fs is None:
        return None
    try:
        found = status(data_fs)
    except FileStorageError:
        return None
    return found.st_dev, found.st_ino


def _judge_by_file(
    target: PackTarget, was: Identity | None, growth: Growth, lost: LostError
) -> None:
    """Go by the file alone: a pack that is done has put another one in its place."""
    storage = target.storage
    if storage is not None:
        try:
            found = settled(lambda: status(storage.data_fs))
        except FileStorageError as error:
            raise ActionError(STAGE, f"{lost}; {error}") from error
        if was is not None and (found.st_dev, found.st_ino) != was:
            return
        if storage.owners and not any(map(runs, storage.owners)):
            reason = f"{lost}: the process that packed has ended, and the Data.fs is that of before"
            raise ActionError(STAGE, reason, "start it, and pack again")
    if growth.writes() and not isinstance(lost, UnseenError):
        how = "it goes on by itself, and another pack is refused meanwhile"
    else:
        how = "whether it goes on cannot be seen; look into the log of the server before the next"
    raise StillRunningError(STAGE, f"{lost}; the pack was not stopped by that", how)


def _summarise(result: PackResult, report: Report) -> None:
    before, after = result.before, result.after
    took = f"packed through {result.engine} in {duration(result.seconds)}"
    if before.data is None or after.data is None or result.freed is None:
        report.say(f"{took}; what that freed is unknown without a Data.fs on this host")
    else:
        report.say(
            f"{took}: Data.fs from {size(before.data)} to {size(after.data)},"
            f" freed {size(result.freed)}"
        )
    if after.old:
        report.say(f"the file of before is kept as Data.fs.old ({size(after.old)})")
    if before.blobs is not None and after.blobs is not None:
        report.say(
            f"blobs from {before.blob_files} files, {size(before.blobs)},"
            f" to {after.blob_files} files, {size(after.blobs)}"
        )
    for left in result.leftovers:
        report.say(f"left over: {left}")
