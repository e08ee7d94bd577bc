"""Reading a configuration file somebody else wrote, without trusting its size or its encoding."""

from pathlib import Path

from zope_exporter.system.foreign_file import ForeignFileError, read

MAX_BYTES = 4 * 1024 * 1024


class ConfigFileError(Exception):
    """A configuration file cannot be understood: names the file, the reason and a remedy.

    It never quotes the file, which may hold passwords.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def read_text(path: Path, problems: list[str]) -> str:
    """The text of a regular file of at most MAX_BYTES; raises ConfigFileError.

    Bytes that are not UTF-8 are replaced, and `problems` says so: Python 2 let Latin-1 comments
    pass, and they are no reason to lose the rest of the file.
    """
    try:
        data = read(path, MAX_BYTES)
    except ForeignFileError as error:
        raise ConfigFileError(path, f"{error.reason}; {error.remedy}") from error
    if b"\0" in data:
        raise ConfigFileError(path, "not text; is this a configuration file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{path}, line {line}: not UTF-8; save the file as UTF-8")
        return data.decode("utf-8-sig", errors="replace")
