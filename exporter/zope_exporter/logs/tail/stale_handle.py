"""Whether the process that writes a log still writes to a file that was renamed or deleted."""

import os
from pathlib import Path

from zope_exporter.system.open_files import open_files

from .archives import is_archive
from .file import Identity, WriterHiddenError


def reopen_needed(
    pid: int, log: Path, current: Identity | None, proc: Path = Path("/proc")
) -> bool:
    """Tell whether a process writes to what the log was before, and not to the file it is now.

    `current` is the file now at the path, None if there is none. A process that is gone writes
    nothing. Raises WriterHiddenError without the rights to look.
    """
    path = os.path.realpath(log)
    try:
        found = open_files(proc / str(pid), lambda name, _: name == path or is_archive(name, path))
    except PermissionError as error:
        raise WriterHiddenError(
            f"whether process {pid} still writes to a renamed {log.name} cannot be seen: run the"
            " exporter as the same user or as root, or give it CAP_SYS_PTRACE and"
            " CAP_DAC_READ_SEARCH"
        ) from error
    written = {file.identity for file in found if file.writable}
    return bool(written) and current not in written
