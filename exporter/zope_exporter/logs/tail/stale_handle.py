"""Whether the process that writes a log still writes to a file that was renamed or deleted."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .archives import is_archive
from .file import Identity, WriterHiddenError

_DELETED = " (deleted)"


def reopen_needed(
    pid: int, log: Path, current: Identity | None, proc: Path = Path("/proc")
) -> bool:
    """Tell whether a process writes to what the log was before, and not to the file it is now.

    `current` is the file now at the path, None if there is none. A process that is gone writes
    nothing. Raises WriterHiddenError without the rights to look.
    """
    path = os.path.realpath(log)
    try:
        directory = os.open(proc / str(pid) / "fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            written = set(_written(directory, path))
        finally:
            os.close(directory)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError as error:
        raise WriterHiddenError(
            f"whether process {pid} still writes to a renamed {log.name} cannot be seen: run the"
            " exporter as the same user or as root, or give it CAP_SYS_PTRACE and"
            " CAP_DAC_READ_SEARCH"
        ) from error
    return bool(written) and current not in written


def _written(directory: int, path: str) -> Iterator[Identity]:
    for number in os.listdir(directory):
        with suppress(FileNotFoundError):  # closed meanwhile
            name = os.readlink(number, dir_fd=directory).removesuffix(_DELETED)
            link = os.stat(number, dir_fd=directory, follow_symlinks=False)
            # The link's own permissions are the mode the file was opened with.
            if link.st_mode & 0o200 and (name == path or is_archive(name, path)):
                found = os.stat(number, dir_fd=directory)
                yield found.st_dev, found.st_ino
