"""Finding a log again after it was rotated, by its content."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from .errors import LogError
from .file import Identity, LogFile, open_log
from .position import Position

_NUMBER = re.compile(r"\d{1,5}")
_DATE = re.compile(r"\d[\d_T:.-]{5,}")


_TRIES = 5


@dataclass(frozen=True)
class Rotated:
    """A file whose name says that it is a rotated log.

    Of one `family` (numbers or dates) the lower `rank` is the newer file; a family of its own
    has what cannot be ordered, such as a copy made by hand.
    """

    path: str
    family: str
    rank: int
    inode: int = 0


def find(
    position: Position, paths: Collection[str], current: Identity | None
) -> tuple[LogFile | None, list[LogFile]]:
    """Return the file that was read up to a position, and those between it and the current one.

    These are in the order they were written. `paths` are the names of the log: also what a symbolic
    link leads, or led, to. `current` is the log itself and never among what is found. Raises
    OSError.
    """
    for tries_left in reversed(range(_TRIES)):
        candidates = _candidates(paths)
        found, newer = _find(position, candidates, current)
        if not tries_left or candidates == _candidates(paths):
            break
        # Names have changed hands meanwhile, so that a file may have been missed.
        for file in [*newer, *([found] if found else [])]:
            file.close()
    return found, newer


def is_rotated(path: str, log: str) -> bool:
    """Tell whether a path is what a log of that path is called after a rotation."""
    directory, name = os.path.split(path)
    here, log_name = os.path.split(log)
    rotated = _rotated(path, _mark(name, log_name) or "")
    return directory == here and rotated.family in ("number", "date")


def _find(
    position: Position, candidates: list[Rotated], current: Identity | None
) -> tuple[LogFile | None, list[LogFile]]:
    for candidate in candidates:
        file = _opened(candidate)
        if file is None:
            continue
        if file.identity != current and _holds(position, file):
            newer = [
                each
                for each in candidates
                if each.family == candidate.family and each.rank < candidate.rank
            ]
            return file, list(_oldest_first(newer, current))
        file.close()
    return None, []


def _candidates(paths: Collection[str]) -> list[Rotated]:
    """The files of these names and the rotated ones beside them, the newer first."""
    found = {path: Rotated(path, f"other {path}", 0) for path in paths}
    found |= {rotated.path: rotated for path in paths for rotated in _beside(path)}
    # A compressed file is there beside the plain one as long as it is being written.
    return sorted(found.values(), key=lambda each: (each.family, each.rank, each.path))


def _beside(path: str) -> Iterator[Rotated]:
    directory, name = os.path.split(path)
    with os.scandir(directory) as entries:
        for entry in entries:
            mark = _mark(entry.name, name)
            if mark:
                yield replace(_rotated(entry.path, mark), inode=entry.inode())


def _mark(rotated: str, name: str) -> str | None:
    """What a rotation adds to a name, at its end or before its extension."""
    bare = rotated.removesuffix(".gz")
    if bare.startswith(name):
        return bare.removeprefix(name)
    before, dot, extension = name.rpartition(".")
    if dot and bare.startswith(before) and bare.endswith(dot + extension):
        return bare.removeprefix(before).removesuffix(dot + extension)
    return None


def _rotated(path: str, mark: str) -> Rotated:
    mark = mark.lstrip(".-_")
    if _NUMBER.fullmatch(mark):
        return Rotated(path, "number", int(mark))
    if _DATE.fullmatch(mark):
        return Rotated(path, "date", -int(re.sub(r"\D", "", mark)))
    return Rotated(path, f"other {path}", 0)


def _oldest_first(newer: list[Rotated], current: Identity | None) -> Iterator[LogFile]:
    for _, twins in groupby(reversed(newer), key=lambda each: each.rank):
        # The plain one comes last of its twins here, and is whole.
        file = _opened(list(twins)[-1])
        if file is not None and file.identity == current:  # rotated while we look
            file.close()
            return
        if file is not None:
            yield file


def _opened(candidate: Rotated) -> LogFile | None:
    try:
        return open_log(candidate.path)
    except (FileNotFoundError, PermissionError, LogError):
        return None


def _holds(position: Position, file: LogFile) -> bool:
    try:
        return position.holds(file)
    except OSError:
        return False
