"""The list of pieces that repozo keeps beside the first of them: name, start, end, MD5 sum."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .manifest import Piece
from .small_file import OddFileError, read_small
from .stamps import PIECE

LARGEST = 1 << 24
# Beyond the end of any Data.fs.
BEYOND = 1 << 61
PLACE = re.compile("[0-9]{1,19}")


@dataclass(frozen=True)
class Line:
    """A line as repozo reads it, which looks for the last part of `path` in the repository."""

    path: str
    start: int
    end: int
    md5: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def own(self) -> bool:
        """Whether it was not repozo that wrote it: that always writes a directory too."""
        return self.name == self.path

    @property
    def guard(self) -> bool:
        """Whether it says nothing of a piece, but keeps `repozo -B -Q` from going on from here."""
        return self.start >= BEYOND


@dataclass(frozen=True)
class Dat:
    """What a `.dat` says; a `problem` is that it cannot be what repozo or we wrote."""

    lines: tuple[Line, ...]
    text: str
    problem: str = ""

    def line(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.name == name and not line.guard), None)


def read_dat(path: Path) -> Dat | None:
    """Return what the file says, None if there is none; a bad line is its `problem`."""
    try:
        text = read_small(path, LARGEST).decode(errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OddFileError as error:
        return Dat((), "", f"{path.name}: {error.strerror}")
    lines = [_line(row) for row in text.splitlines()]
    problem = "" if text else f"{path.name} is empty"
    if text and not text.endswith("\n"):
        problem = f"{path.name} was cut off"
    if None in lines:
        problem = f"{path.name} has a line that is not of a piece"
    found = tuple(line for line in lines if line is not None)
    names = [line.name for line in found if not line.guard]
    if len(names) > len(set(names)):
        problem = f"{path.name} lists a piece twice"
    return Dat(found, text, problem)


def dat_text(pieces: Iterable[Piece], before: Dat | None, guard: bool = False) -> str:
    """Return the text for these pieces; lines that are there already stay as they are.

    Repozo writes a path, though it uses the name only; a path with a blank it cannot read. With a
    `guard`, `repozo -B -Q` makes a full backup whatever it finds, and -V and -R see no difference.
    """
    rows = []
    for piece in pieces:
        line = before.line(piece.name) if before else None
        known = line and (line.start, line.end, line.md5) == (piece.start, piece.end, piece.md5)
        path = line.path if line and known and not line.path.count(" ") else piece.name
        rows.append(f"{path} {piece.start} {piece.end} {piece.md5}\n")
    if guard:
        first = next(iter(pieces))
        size = first.end - first.start
        rows.append(f"{first.name} {BEYOND} {BEYOND + size} {first.md5}\n")
    return "".join(rows)


def _line(row: str) -> Line | None:
    words = row.rsplit(" ", 3)
    if len(words) != 4 or not (PLACE.fullmatch(words[1]) and PLACE.fullmatch(words[2])):
        return None
    path, start, end, md5 = words
    line = Line(path, int(start), int(end), md5)
    return line if PIECE.fullmatch(line.name) and line.start <= line.end else None
