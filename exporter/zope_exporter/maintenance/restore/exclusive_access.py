"""Making sure that a Data.fs is used by nobody, and stays so while it is replaced."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from zc.lockfile import LockError, LockFile

from zope_exporter.discovery.inventory import Service
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.storage.filestorage.open_files import Holders, holders, openers
from zope_exporter.system.fsync import named

from .files import is_there

# A pack moves them one after the other.
PACKED = ("", ".old", ".pack")
GO_BY_LOCK = "--go-by-the-lock"


def check_stopped(
    data_fs: Path,
    services: Sequence[Service],
    go_by_lock: bool,
    proc: Path = Path("/proc"),
    blob_dir: Path | None = None,
    try_lock: bool = True,
) -> None:
    """Raise RefusedError `open` or `running` if anybody uses the files, `unseen` if nobody knows.

    `services` are all that are known on this host. Where processes of others cannot be inspected,
    only ZODB's lock tells; `go_by_lock` takes that as enough. At a new place there is nothing that
    they could have open. A Zope that starts while the lock is tried would not get it: `try_lock` is
    for what replaces the files.
    """
    found = (holders if try_lock or go_by_lock else openers)(data_fs, proc)
    for refusal in in_use(found, data_fs, services, blob_dir):
        raise refusal
    is_new = not any(is_there(data_fs.with_name(data_fs.name + end)) for end in PACKED)
    if found.hidden and not is_new and not go_by_lock:
        raise RefusedError(
            "unseen",
            f"{found.hidden} processes of other users may not be inspected, and any of them"
            f" could have {data_fs} open",
            f"{_rights()}; or, when you know that Zope and ZEO are stopped, use {GO_BY_LOCK}",
        )


def in_use(
    found: Holders, data_fs: Path, services: Sequence[Service], blob_dir: Path | None
) -> Iterator[RefusedError]:
    """Yield `open` where processes have a Data.fs open, and `running` for each service it is of."""
    if found.pids or found.locked:
        who = ", ".join(f"process {pid}" for pid in found.pids) or "a process that cannot be seen"
        yield RefusedError("open", f"{who} has {data_fs} open", "stop Zope and ZEO first")
    for service in services:
        for path in filter(None, (data_fs, blob_dir)):
            if service.process and any(_is_same(path, used) for used in _used(service)):
                reason = f"{service.name} (process {service.process.pid}) runs with {path}"
                yield RefusedError("running", reason, "stop it first")
                break


def _rights() -> str:
    """Say what it takes to look into every process."""
    if os.geteuid() != 0:
        return "run this as root"
    return (
        "even root is refused here, as in a container: give it the capability SYS_PTRACE (docker"
        " run --cap-add SYS_PTRACE), or run this on the host itself"
    )


def _used(service: Service) -> Iterator[Path]:
    for database in service.databases:
        yield from filter(None, (database.data_fs, database.blob_dir))


def _is_same(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    with suppress(OSError):  # one that is not there is none that is used
        return one.samefile(other)
    return False


@contextmanager
def exclusive_access(data_fs: Path) -> Iterator[None]:
    """Hold ZODB's own lock, without which neither Zope nor ZEO opens the file for writing."""
    path = data_fs.with_name(data_fs.name + ".lock")
    made = not path.exists()
    try:
        with named(path):
            lock = LockFile(str(path))
    except LockError:
        raise RefusedError("open", f"a process has {data_fs} open", "stop Zope and ZEO") from None
    try:
        if made:
            like_directory(path)
        yield
    finally:
        with named(path):
            lock.close()


def like_directory(path: Path) -> None:
    """Give what root has made to the owner of its directory."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
