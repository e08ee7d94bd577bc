"""The rotated files of a log: which there are, which were seen already, and which is written still.

A number in a name may count up or down, be a date, a day of the month or a second since the epoch.
Names tell which files belong to a log, never in which order they were written.
"""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zope_exporter.system.foreign_root import own_path
from zope_exporter.system.open_files import open_files

from .file import SUFFIXES, Identity, LogError
from .line_reader import SAMPLE, digest
from .lines import JSON

_MARKS = {
    "at the end": re.compile(r"[._-]?\d[\d_T:.-]*"),
    # Without anything before it, a short number is more likely that of another client: client2.log.
    "within": re.compile(r"[._-]\d[\d_T:.-]*|\d[\d_T:.-]{5,}"),
}
_DIGITS = re.compile(r"\d+")
_SHORT = 5
_SECOND = 1_000_000_000
LIMIT = 64


class WriterHiddenError(LogError):
    """The open files of the process that writes a log cannot be seen without more rights."""


@dataclass(frozen=True)
class Archive:
    """A file beside a log with a name that begins with that of the log.

    Names of one `family` are made by the same rule; "" is what no rotation is known to make, such
    as a copy made by hand. `modified` is in nanoseconds since the epoch.
    """

    path: str
    family: str
    identity: Identity
    modified: int = field(compare=False)

    @property
    def may_be_another_log(self) -> bool:
        """Whether a log that is still written, such as Z4-2.log, may have such a name."""
        return self.family.endswith("within") and _plain(self.path) is None

    def is_of_second(self, time: int) -> bool:
        """Whether it is of the same second as a time, and no more than that is known."""
        return self.modified % _SECOND == 0 and self.modified == time // _SECOND * _SECOND

    def is_since(self, time: int) -> bool:
        """Whether it may have been written to since then: some programs copy times in part."""
        return self.is_of_second(time) or self.modified // 1000 >= time // 1000


def archives(paths: Collection[str]) -> list[Archive]:
    """Return the files of these names and the rotated ones beside them. Raises OSError."""
    found = {path: archive for path in paths for archive in _named(path)}
    found |= {archive.path: archive for path in paths for archive in _beside(path)}
    # A compressed file is there beside the plain one as long as it is being written.
    there = [each for path, each in found.items() if _plain(path) not in found or path in paths]
    # In a directory that a symbolic link leads to each file has two paths, and is one all the same.
    return list({each.identity: each for each in sorted(there, key=_is_of_family)}.values())


def _is_of_family(archive: Archive) -> bool:
    return bool(archive.family)


def _named(path: str) -> Iterator[Archive]:
    try:
        status = Path(path).stat()
    except OSError:
        return
    yield Archive(path, "", (status.st_dev, status.st_ino), status.st_mtime_ns)


def _beside(path: str) -> Iterator[Archive]:
    directory, name = os.path.split(path)
    with os.scandir(directory) as entries:
        for entry in entries:
            family = _family(entry.name, name)
            if family is not None:
                with suppress(OSError):  # gone meanwhile, or a link to nowhere
                    status = entry.stat()
                    identity = status.st_dev, status.st_ino
                    yield Archive(entry.path, family, identity, status.st_mtime_ns)


def _plain(path: str) -> str | None:
    """What a file was called before it was compressed."""
    return next((path.removesuffix(each) for each in SUFFIXES if path.endswith(each)), None)


def _family(rotated: str, name: str) -> str | None:
    """The rule that makes a rotated name of a log's name, "" for none that is known.

    Marks such as .1 and .10 are of one family, others have the same number of digits. None if the
    name is not made of that of the log.
    """
    bare = _plain(rotated) or rotated
    stem, extension = Path(name).stem, Path(name).suffix
    if bare.startswith(name):
        place, mark = "at the end", bare.removeprefix(name)
    elif extension and bare.startswith(stem) and bare.endswith(extension):
        place, mark = "within", bare.removeprefix(stem).removesuffix(extension)
    else:
        return None
    if not mark:
        return None
    return f"{_shape(mark)} {place}" if _MARKS[place].fullmatch(mark) else ""


def _shape(mark: str) -> str:
    def size(digits: re.Match[str]) -> str:
        return f"<{max(_SHORT, len(digits[0]))}>"

    return _DIGITS.sub(size, mark)


class _Seen(NamedTuple):
    """The first bytes of a file, as many as it had when it was seen, and which file that was."""

    length: int
    digest: str
    device: int
    inode: int

    def fits(self, head: bytes) -> bool:
        return self.length <= len(head) and digest(head[: self.length]) == self.digest


class SeenArchives:
    """The last 64 rotated files that were there before a log was followed, or were read of it.

    None of them is counted again. A file is known by its first bytes, whatever its name and time:
    it may be compressed, copied or restored from a backup.
    """

    def __init__(self, state: JSON = ()) -> None:
        """Begin with what `save` returned. Raises ValueError for anything else."""
        if not isinstance(state, list | tuple):
            raise ValueError(f"{state} are no files of a log")
        self._known = tuple(str(each) for each in state)
        list(self._all())

    @property
    def complete(self) -> bool:
        """Whether none had to be forgotten for lack of room."""
        return len(self._known) < LIMIT

    def save(self) -> tuple[str, ...]:
        return self._known

    def add(self, head: bytes, identity: Identity, was: Identity | None = None) -> None:
        """Remember a file in place of what it `was`: another file, or shorter."""
        head = head[:SAMPLE]
        if not head:
            return
        others = (
            text
            for text, seen in self._all()
            if (seen.device, seen.inode) not in (identity, was) or not seen.fits(head)
        )
        device, inode = identity
        new = f"{len(head)}:{digest(head)}:{device:x}:{inode:x}"
        self._known = (*others, new)[-LIMIT:]

    def has_inode(self, identity: Identity) -> bool:
        return any((seen.device, seen.inode) == identity for _, seen in self._all())

    def has_itself(self, head: bytes, identity: Identity) -> bool:
        """Tell whether one of those is this very file, perhaps under another name."""
        return self.known_as(head, identity, ()) == identity

    def known_as(
        self, head: bytes, identity: Identity, others: Collection[Identity]
    ) -> Identity | None:
        """Return which of those a file is, perhaps compressed or copied; None if it is new.

        `others` are there themselves, so that this one is none of them, whatever it begins with.
        """
        fitting = [(seen.device, seen.inode) for _, seen in self._all() if seen.fits(head)]
        if identity in fitting:
            return identity
        return next((each for each in fitting if each not in others), None)

    def _all(self) -> Iterator[tuple[str, _Seen]]:
        for text in self._known:
            length, digested, device, inode = text.split(":")
            yield text, _Seen(int(length), digested, int(device, 16), int(inode, 16))


def reopen_needed(
    pid: int, log: Path, current: Identity | None, proc: Path = Path("/proc")
) -> bool:
    """Tell whether a process writes to what the log was before, and not to the file it is now.

    `current` is the file now at the path, None if there is none. A process that is gone writes
    nothing. Raises WriterHiddenError without the rights to look.
    """
    path = own_path(log)
    beside = os.path.dirname(path) + "/"  # noqa: PTH120 - for each file that each process has open

    def is_wanted(name: str, _: str) -> bool:
        return name.startswith(beside) and (name == path or _is_archive(name, path))

    try:
        found = open_files(proc / str(pid), is_wanted)
    except PermissionError as error:
        raise WriterHiddenError(
            f"whether process {pid} still writes to a renamed {log.name} cannot be seen: run the"
            " exporter as the same user or as root, or give it CAP_SYS_PTRACE and"
            " CAP_DAC_READ_SEARCH"
        ) from error
    written = {file.identity for file in found if file.writable}
    return bool(written) and current not in written


def _is_archive(path: str, log: str) -> bool:
    """Tell whether a path is what a log of that path is called after a rotation."""
    directory, name = os.path.split(path)
    here, log_name = os.path.split(log)
    return directory == here and bool(_family(name, log_name))
