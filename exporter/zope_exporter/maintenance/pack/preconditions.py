"""What must be so before a pack is begun; each has a name by which its refusal is known."""

import math
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.plan import refused
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
    """Raise RefusedError for the first precondition that is not met."""
    if target.storage is None:
        report.say("the Data.fs is not on this host: room and other packs are not checked")
    for refusal in refusals(target.storage, settings, clock()):
        raise refusal
    target.engine.check()


def refusals(storage: Storage | None, settings: PackSettings, now: float) -> Iterator[RefusedError]:
    """Yield what a pack is refused for, but for what its engine says; each is looked at in turn.

    Codes: days, backup, missing, unreadable, replaced, old, busy, room.
    """
    yield from refused(_check_days, settings.days)
    yield from refused(_check_backup, settings, now)
    if storage is None:
        return
    try:
        settled(lambda: status(storage.data_fs))
        yield from refused(_check_replaced, storage)
        yield from refused(_check_old, storage.data_fs)
        yield from refused(_check_other_pack, storage, now)
        yield from refused(_check_room, storage.data_fs, settings)
    except DataFileMissingError as error:
        yield RefusedError("missing", str(error))
    except FileStorageError as error:
        yield RefusedError("unreadable", str(error))


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
    end, first, last = _last_tid(old), first_tid(data_fs), _last_tid(data_fs)
    if end is None:
        return
    remedy = f"move {old} away, to where nothing deletes it, and find out which of them is right"
    if first is None or end < first:
        reason = f"{old}, which a pack deletes, is not the past of {data_fs}: that one begins later"
        raise RefusedError("old", reason, remedy)
    if last is None or end > last:
        reason = f"{old}, which a pack deletes, has later transactions than {data_fs}"
        raise RefusedError("old", reason, remedy)


def first_tid(data_fs: Path) -> int | None:
    """Return the id of the first transaction, None without any. Raises FileStorageError."""
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


class PackRoom(NamedTuple):
    """The disk that a pack writes to, in bytes.

    Of `data` bytes of the Data.fs up to `copy` are written anew. `free` is what is free now, and
    `old` what the Data.fs.old takes that is deleted before.
    """

    data: int
    copy: int
    free: int
    old: int

    @property
    def left(self) -> int:
        """Bytes that are free at the end of the pack at least, and at no time before are fewer."""
        return self.free + self.old - self.copy


def room_for(data_fs: Path, settings: PackSettings) -> PackRoom:
    """Look at the room for a pack. Raises FileStorageError."""
    size_now = status(data_fs).st_size
    system = room(data_fs)
    old = files_beside(data_fs).get(".old")
    given_back = old.st_blocks * 512 if old is not None and old.st_nlink == 1 else 0
    # Of the history that is kept nobody knows how much of the garbage belongs to it.
    garbage = settings.surely_freed if settings.days == 0 else 0
    free = system.f_bavail * system.f_frsize
    return PackRoom(size_now, max(size_now - garbage, 0), free, given_back)


def _check_room(data_fs: Path, settings: PackSettings) -> None:
    found = room_for(data_fs, settings)
    where = f"beside {data_fs}, Data.fs.old included, which it deletes first"
    check_free("a pack", found.copy + settings.headroom, found.free + found.old, where)
