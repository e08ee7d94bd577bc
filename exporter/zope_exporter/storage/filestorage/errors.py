"""What can be wrong with a Data.fs, each said with the file and the remedy."""


class FileStorageError(Exception):
    """A Data.fs, or who has it open, could not be read as it should."""


class DataFileMissingError(FileStorageError):
    """There is no Data.fs; for some milliseconds also while a pack puts the new one in place."""


class NotAFileStorageError(FileStorageError):
    """The file is no regular file, or does not begin like a FileStorage."""


class UnreadableError(FileStorageError):
    """The operating system does not let us read the file."""


class TornTailError(FileStorageError):
    """The file does not end with a whole transaction: one is being written, or was cut off.

    `modified` is when the file last changed, in seconds since the epoch.
    """

    def __init__(self, message: str, modified: float) -> None:
        super().__init__(message)
        self.modified = modified


class RestlessError(FileStorageError):
    """A place in the file was another at every look, as no writer that commits leaves it."""


class OwnerHiddenError(FileStorageError):
    """The open files of a process cannot be seen without more rights."""
