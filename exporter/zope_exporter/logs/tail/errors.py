"""What can be wrong with a log, each said with the file and the remedy."""

import os
from pathlib import Path


class LogError(Exception):
    """A log cannot be read as it should."""


class LogMissingError(LogError):
    """There is no such file."""


class NotALogError(LogError):
    """The path leads to a directory, a FIFO or a device."""


class LogUnreadableError(LogError):
    """The operating system does not let us read the file."""


class ContentChangedError(LogError):
    """The file no longer holds what has been read of it: it was truncated or written anew."""


class WriterHiddenError(LogError):
    """The open files of the process that writes a log cannot be seen without more rights."""


def named(path: str | os.PathLike[str], error: OSError) -> LogError:
    """Say what an error of the operating system means for a log."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        directory = Path(path).parent
        return LogMissingError(
            f"{path} is missing: does Zope log elsewhere, or is {directory} not mounted?"
        )
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "; run the exporter as the user of Zope, or in the group of the file"
    return LogUnreadableError(f"{path} cannot be read: {error.strerror or error}{remedy}")
