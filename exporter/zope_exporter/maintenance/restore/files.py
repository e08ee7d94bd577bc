"""Reading and copying files so that no error goes unseen, nor without the name of its file."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zope_exporter.maintenance.backup.beneath import Beneath, opened
from zope_exporter.maintenance.backup.disk import Disk
from zope_exporter.system.foreign_file import chunks
from zope_exporter.system.fsync import named, sync_directory, sync_file
from zope_exporter.system.reflink import clone

UNFINISHED = ".restoring"
# Of a file system that has no hard links, or of one that is not that of the file.
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


def is_there(path: Path) -> bool:
    """Unlike Path.exists, which from Python 3.14 on says no, too, where the system cannot tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove_file(root: Path, path: Path) -> None:
    """Remove a file below a directory, and nothing elsewhere.

    Whoever owns a site may put a link in the place of any directory of blobs while root restores.
    """
    with _directory_of(root, path) as directory:
        Disk().remove(path, directory)


def remove_directory(root: Path, path: Path) -> None:
    """Remove an empty directory below another one, and nothing elsewhere."""
    with _directory_of(root, path) as directory:
        Disk().remove_directory(path, directory)


def remove_tree(root: Path, path: Path) -> None:
    """Remove a directory below another one with all that is in it, and nothing elsewhere."""
    with _directory_of(root, path) as directory:
        Disk().remove_tree(path, directory)


@contextmanager
def _directory_of(root: Path, path: Path) -> Iterator[int]:
    with Beneath(root) as below:
        yield below.directory_of(str(path.relative_to(root)))


def has_links(path: Path, link: Path) -> bool:
    """Try whether a file can have that second name, which it has no more afterwards.

    To look at devices is not enough: a directory that is mounted a second time has the same.
    """
    try:
        link.hardlink_to(path)
    except OSError as error:
        if error.errno in NO_LINKS:
            return False
        if error.errno != errno.EMLINK:  # of this one file alone
            raise
    link.unlink(missing_ok=True)
    return True


def name_new(path: Path, target: Path) -> None:
    """Give a finished file its name. Raises FileExistsError: what is there is never replaced."""
    try:
        target.hardlink_to(path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # A rename replaces what it meets: the name is taken first, by whoever comes first.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            path.rename(target)
        except OSError:
            target.unlink()  # it is empty, and would be taken for what was to be put there
            raise
    else:
        sync_directory(target.parent)  # a crash must not lose both names
        path.unlink()


def link_or_copy(path: Path, link: Path) -> None:
    """Give a file a second name, or make a copy of that name where it cannot have one."""
    try:
        link.hardlink_to(path)
    except OSError as error:
        if error.errno not in NO_LINKS | {errno.EMLINK}:
            raise
        copy(path, link, path.stat())


def copy(path: Path, target: Path, owner: os.stat_result) -> None:
    """Put a copy in place at once, with the mode of the file; it is on the disk then."""
    unfinished = target.with_name(target.name + UNFINISHED)
    unfinished.unlink(missing_ok=True)
    try:
        with (
            named(path),
            opened(path) as source,
            named(unfinished),
            unfinished.open("xb") as writing,
        ):
            if not clone(source, writing.fileno()):
                for chunk in chunks(source, path):
                    writing.write(chunk)
        shutil.copymode(path, unfinished)
        give(unfinished, owner)
        sync_file(unfinished)
        unfinished.replace(target)
    except BaseException:
        with suppress(OSError):  # the error that it came from is to be told
            unfinished.unlink(missing_ok=True)
        raise


def give(path: Path, owner: os.stat_result) -> None:
    """Give a file that root has made to the owner of the site."""
    if os.geteuid() == 0:
        with suppress(PermissionError):  # a file system where nothing has an owner of its own
            os.chown(path, owner.st_uid, owner.st_gid)
