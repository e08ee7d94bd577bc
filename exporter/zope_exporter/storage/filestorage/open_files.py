"""Which processes have a Data.fs open, and for what, as /proc/PID/fd shows it."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from zope_exporter.system import open_files as system
from zope_exporter.system.foreign_file import NotRegularError, opened
from zope_exporter.system.foreign_root import own_path, real_path
from zope_exporter.system.open_files import Identity, OpenFile

from .datafile import OwnerHiddenError

INODE = "ino:"
FLAGS = "flags:"
SUFFIXES = ("", ".old", ".pack", ".lock", ".index.index_tmp")


def open_files(pid: int, data_fs: Path, proc: Path = Path("/proc")) -> list[OpenFile]:
    """Return which of a Data.fs and the files ZODB keeps beside it a process has open.

    A process that is gone has none. Raises OwnerHiddenError without the rights to look.
    """
    paths = _paths(data_fs)
    try:
        return system.open_files(proc / str(pid), lambda path, _: path in paths)
    except PermissionError as error:
        raise OwnerHiddenError(
            f"which files process {pid} has open cannot be seen: run the exporter as the same user"
            " or as root, or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
        ) from error


def writes_elsewhere(files: Iterable[OpenFile], current: Identity) -> bool:
    """Tell whether an owner writes to another file than the one now at the path (`current`).

    Who has the lock file open has a Data.fs open for writing, whatever became of its name; only a
    start, an end and a pack have a moment without.
    """
    written = [file for file in files if file.writable]
    locked = any(file.path.endswith(".lock") for file in written)
    return locked and all(file.identity != current for file in written)


def _paths(data_fs: Path) -> frozenset[str]:
    # ZODB puts the other files beside the name it was given, even where that is a symbolic link.
    beside = own_path(data_fs.parent) + "/" + data_fs.name
    return frozenset({own_path(data_fs), *(beside + suffix for suffix in SUFFIXES)})


@dataclass(frozen=True)
class Holders:
    """The processes that have a Data.fs, its lock or its `.old` open, as Zope, ZEO or repozo do.

    A zope-exporter that only looks into them is none of these: it reads on with what it has open,
    and sees by the next look that there is another file.
    `locked` tells that some process holds ZODB's lock, even one that cannot be seen; `hidden` how
    many processes may not be inspected.
    """

    pids: tuple[int, ...]
    hidden: int
    locked: bool

    @property
    def none(self) -> bool:
        return not self.pids and not self.locked


def holders(data_fs: Path, proc: Path = Path("/proc")) -> Holders:
    """Look for them, and try for a moment whether ZODB's lock can be had."""
    return replace(openers(data_fs, proc), locked=_is_locked(data_fs))


def openers(data_fs: Path, proc: Path = Path("/proc")) -> Holders:
    """Look for them, without a try at ZODB's lock: a Zope that just starts would miss it.

    A process is found whatever it calls the file, as in a container.
    """
    real = Path(real_path(data_fs))
    places = {real.parent / real.name, data_fs.parent / data_fs.name}
    paths = {place.with_name(place.name + suffix) for place in places for suffix in SUFFIXES}
    identities = set(_identities(paths))
    names = {path.name for path in paths}
    inodes = {inode for _, inode in identities}
    found, hidden = [], 0
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if _holds(entry, names, inodes, identities):
                    found.append(int(entry.name))
            except PermissionError:
                hidden += 1
    return Holders(tuple(sorted(found)), hidden, locked=False)


def _identities(paths: set[Path]) -> Iterator[Identity]:
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            yield status.st_dev, status.st_ino


def _holds(process: Path, names: set[str], inodes: set[int], identities: set[Identity]) -> bool:
    def is_wanted(path: str, fdinfo: str) -> bool:
        # First without a look at the file: to stat one on a file system that hangs, hangs.
        if Path(path).name not in names and _inode(fdinfo) not in inodes:
            return False
        return not _is_a_look(fdinfo)

    return any(file.identity in identities for file in system.open_files(process, is_wanted))


def _inode(fdinfo: str) -> int | None:
    """Return the inode of what is open, None from a kernel before 5.14."""
    found = _told(fdinfo, INODE)
    return None if found is None else int(found)


def _is_a_look(fdinfo: str) -> bool:
    """Tell whether it is open as our own looks are: for reading, and without waiting.

    ZODB, repozo and cp open files for reading as everybody does, without that second flag.
    """
    flags = int(_told(fdinfo, FLAGS) or "0", 8)
    return flags & os.O_ACCMODE == os.O_RDONLY and bool(flags & os.O_NONBLOCK)


def _told(fdinfo: str, name: str) -> str | None:
    for line in Path(fdinfo).read_text().splitlines():
        if line.startswith(name):
            return line.removeprefix(name)
    return None


def _is_locked(data_fs: Path) -> bool:
    """Tell whether the lock is held, also if it cannot be known: for want of a right or a file."""
    try:
        # Enough for a lock but on NFS, where it wants the right to write.
        with opened(data_fs.with_name(data_fs.name + ".lock")) as descriptor:
            return not _can_lock(descriptor)
    except FileNotFoundError:
        return False
    except (PermissionError, NotRegularError):
        return True


def _can_lock(descriptor: int) -> bool:
    try:
        # Only for as long as it takes to see that it could be had.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
