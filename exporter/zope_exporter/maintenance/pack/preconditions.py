"""What must be so before a pack is begun; each has a name by which its refusal is known."""

import math
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.room import check_free
from zope_exporter.storage.filestorage.datafile import (
    QUIET_SECONDS,
    DataFileMissingError,
    FileStorageError,
    OwnerHiddenError,
    TornTailError,
    files_beside,
    opened,
    room,
    status,
)
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION
from zope_exporter.storage.filestorage.open_files import open_files, writes_elsewhere
from zope_exporter.storage.filestorage.tail import read_tail
from zope_exporter.system.humanize import duration, size

from .target import PackSettings, PackTarget

Found = TypeVar("Found")

TID = 8
LOOKS = 20
LOOK_SECONDS = 0.1
MAX_DAYS = 36525.0


def check(
    target: PackTarget, settings: PackSettings, report: Report, clock: Callable[[], float]
) -> None:
    """Raise RefusedError for the first precondition that is not met.

    Codes: days, backup, missing, unreadable, replaced, old, busy, room, and those of the engine.
    """
    _check_days(settings.days)
    _check_backup(settings, clock())
    if target.storage is None:
        report.say("the Data.fs is not on this host: room and other packs are not checked")
    else:
        try:
            _check_storage(target.storage, settings, clock())
        except DataFileMissingError as error:
            raise RefusedError("missing", str(error)) from error
        except FileStorageError as error:
            raise RefusedError("unreadable", str(error)) from error
    target.engine.check()


def _check_storage(storage: Storage, settings: PackSettings, now: float) -> None:
    found = settled(lambda: status(storage.data_fs))
    _check_replaced(storage)
    _check_old(storage.data_fs)
    _check_other_pack(storage, now)
    _check_room(storage.data_fs, found.st_size, settings)


def settled(read: Callable[[], Found]) -> Found:
    """Return what `read` gives once no commit is half written, and no pack swaps the file."""
    for _ in range(LOOKS - 1):
        with suppress(DataFileMissingError, TornTailError):
            return read()
        threading.Event().wait(LOOK_SECONDS)
    return read()


def _check_days(days: float) -> None:
    if not 0 <= days <= MAX_DAYS or math.isnan(days):
        reason = f"{days} is no number of days of history to keep"
        raise RefusedError("days", reason, "0 or more; 0 keeps nothing that could be undone")


def _check_backup(settings: PackSettings, now: float) -> None:
    if settings.backup_max_age is None:
        return
    allowed = duration(settings.backup_max_age)
    remedy = "make a backup first, and have it verified"
    proven = settings.proven()
    if proven is None:
        reason = "no backup of this database has ever been proven, and a pack cannot be undone"
        raise RefusedError("backup", reason, remedy)
    age = now - proven.timestamp()
    if age < 0:
        reason = f"the last proven backup is dated {duration(-age)} in the future"
        raise RefusedError("backup", reason, "set the clock right, or make a backup")
    if age > settings.backup_max_age:
        reason = f"the last proven backup is {duration(age)} old, and {allowed} are allowed"
        raise RefusedError("backup", reason, remedy)


def _check_replaced(storage: Storage) -> None:
    for _ in range(LOOKS):
        found = status(storage.data_fs)
        current = found.st_dev, found.st_ino
        try:
            owners = [open_files(owner.pid, storage.data_fs) for owner in storage.owners]
        except OwnerHiddenError:
            return
        if not any(writes_elsewhere(files, current) for files in owners):
            return
        threading.Event().wait(LOOK_SECONDS)  # the middle of a pack looks the same
    raise RefusedError(
        "replaced",
        f"a running process writes to another file than {storage.data_fs}, which was replaced",
        "copy its file from /proc/PID/fd before anything else, its commits are nowhere else",
    )


def _check_old(data_fs: Path) -> None:
    """Make sure that Data.fs.old, which every pack deletes first, is nothing but the past."""
    old = data_fs.with_name(data_fs.name + ".old")
    try:
        found = old.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise RefusedError(
            "old",
            f"{old} is a directory: the pack would fail, and the storage refuse every other one as"
            " “Already packing” until it is restarted",
            "move it away",
        )
    if not stat.S_ISREG(found.st_mode) or found.st_size <= FIRST_TRANSACTION:
        return
    end, first, last = _last_tid(old), _first_tid(data_fs), _last_tid(data_fs)
    if end is None:
        return
    remedy = f"move {old} away, to where nothing deletes it, and find out which of them is right"
    if first is None or end < first:
        reason = f"{old}, which a pack deletes, is not the past of {data_fs}: that one begins later"
        raise RefusedError("old", reason, remedy)
    if last is None or end > last:
        reason = f"{old}, which a pack deletes, has later transactions than {data_fs}"
        raise RefusedError("old", reason, remedy)


def _first_tid(data_fs: Path) -> int | None:
    with opened(data_fs) as descriptor:
        tid = os.pread(descriptor, TID, FIRST_TRANSACTION)
    return int.from_bytes(tid, "big") if len(tid) == TID else None


def _last_tid(data_fs: Path) -> int | None:
    last = settled(lambda: read_tail(data_fs)).last
    return last.tid if last else None


def _check_other_pack(storage: Storage, now: float) -> None:
    found = files_beside(storage.data_fs).get(".pack")
    if found is None:
        return
    try:
        open_by = [open_files(owner.pid, storage.data_fs) for owner in storage.owners]
    except OwnerHiddenError:
        open_by = []
    held = (found.st_dev, found.st_ino) in {file.identity for files in open_by for file in files}
    # Where the owners can be seen, only what one of them has open is being written.
    if held or (not open_by and now - found.st_mtime < QUIET_SECONDS):
        reason = f"another pack is writing {storage.data_fs.name}.pack ({size(found.st_size)})"
        raise RefusedError("busy", reason, "wait for its end")


def _check_room(data_fs: Path, data_size: int, settings: PackSettings) -> None:
    system = room(data_fs)
    free = system.f_bavail * system.f_frsize
    old = files_beside(data_fs).get(".old")
    if old is not None and old.st_nlink == 1:
        free += old.st_blocks * 512
    # Of the history that is kept nobody knows how much of the garbage belongs to it.
    garbage = settings.garbage or 0 if settings.days == 0 else 0
    needed = max(data_size - garbage, 0) + settings.headroom
    where = f"beside {data_fs}, Data.fs.old included, which it deletes first"
    check_free("a pack", needed, free, where)
