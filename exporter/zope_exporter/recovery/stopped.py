"""Making sure that a Data.fs is used by nobody, and stays so while it is replaced."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from zc.lockfile import LockError, LockFile

from zope_exporter.durable import named
from zope_exporter.filestorage.holders import holders
from zope_exporter.inventory import Service
from zope_exporter.jobs.report import RefusedError

GO_BY_LOCK = "--go-by-the-lock"


def check_stopped(
    data_fs: Path, services: Sequence[Service], go_by_lock: bool, proc: Path = Path("/proc")
) -> None:
    """Raise RefusedError `open` or `running` if anybody uses the file, `unseen` if that is unknown.

    `services` are all that are known on this host. Where processes of others cannot be looked into,
    only ZODB's lock tells; `go_by_lock` takes that as enough.
    """
    found = holders(data_fs, proc)
    if found.pids or found.locked:
        who = ", ".join(f"process {pid}" for pid in found.pids) or "a process that cannot be seen"
        raise RefusedError("open", f"{who} has {data_fs} open", "stop Zope and ZEO first")
    real = os.path.realpath(data_fs)
    for service in services:
        files = [each.data_fs for each in service.databases if each.data_fs]
        if service.process and any(os.path.realpath(file) == real for file in files):
            reason = f"{service.name} (process {service.process.pid}) runs with {data_fs}"
            raise RefusedError("running", reason, "stop it first")
    if found.hidden and not go_by_lock:
        raise RefusedError(
            "unseen",
            f"{found.hidden} processes of other users may not be looked into, and any of them"
            f" could have {data_fs} open",
            f"run this as root, or, when you know that Zope and ZEO are stopped, with {GO_BY_LOCK}",
        )


@contextmanager
def kept_closed(data_fs: Path) -> Iterator[None]:
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
