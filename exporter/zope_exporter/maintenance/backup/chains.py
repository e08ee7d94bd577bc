"""Full backups and the incremental ones after them, as the names and the `.dat` files have them.

A `.dat` is the list of pieces that repozo keeps beside the first of them: name, start, end, MD5.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .beneath import OddFileError, odd, opened, read_small
from .manifest import Piece
from .stamps import INDEX, PIECE, time_of

LARGEST = 1 << 24
# Beyond the end of any Data.fs.
BEYOND = 1 << 61
PLACE = re.compile("[0-9]{1,19}")
REMOVING = ".removing"
GZIP_SIZE = 4  # at the end of a gzip file: how much is in it, modulo 2 ** 32


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
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Line]:
        # The first of a name counts.
        return {line.name: line for line in reversed(self.lines) if not line.guard}


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


@dataclass
class Chain:
    """A full piece and what follows it.

    `problems` names pieces that cannot be relied on, nor can what comes after them. `changed` is
    when each was last written to (ns). Of `own` pieces it was not repozo that noted them in the
    `.dat`. A chain that is `removed` is only half there.
    """

    stamp: str
    pieces: tuple[Piece, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    changed: dict[str, int] = field(default_factory=dict)
    removed: bool = False


def read_chains(path: Path, names: Sequence[str]) -> list[Chain]:
    """Return what the names in a directory make up, the newest chain last.

    The first has no stamp if there are incremental pieces before any full one. Raises OSError.
    """
    found: list[tuple[str, list[str]]] = []
    for name in sorted(piece_names(names)):
        stamp = name.partition(".")[0]
        if "delta" not in name:
            found.append((stamp, []))
        elif not found:
            found.append(("", []))
        found[-1][1].append(name)
    return [_chain(path, stamp, chained) for stamp, chained in found]


def piece_names(names: Iterable[str]) -> list[str]:
    """Return those of pieces among the names in a directory."""
    return [name for name in names if (match := PIECE.fullmatch(name)) and time_of(match[1])]


def indexes(names: Sequence[str]) -> Iterator[str]:
    """Yield a warning for each index, which is a pickle."""
    for name in names:
        if INDEX.fullmatch(name):
            yield (
                f"{name} is a pickle of repozo's: `repozo -R` puts it beside the Data.fs, and Zope"
                " would run whatever is in it; remove it, Zope makes it anew"
            )


def _chain(path: Path, stamp: str, names: list[str]) -> Chain:
    if not stamp:
        problems = dict.fromkeys(names, "there is no full backup before it")
        changed = {name: (path / name).lstat().st_mtime_ns for name in names}
        pieces_alone = tuple(Piece(name, 0, 0, "") for name in names)
        return Chain(stamp, pieces_alone, problems, changed=changed)
    chain = Chain(stamp, removed=os.path.lexists(path / (stamp + REMOVING)))
    dat = read_dat(path / f"{stamp}.dat")
    pieces: list[Piece] = []
    end = 0
    for name in names:
        status = (path / name).lstat()
        chain.changed[name] = status.st_mtime_ns
        piece = _piece(name, status, dat)
        problem = _odd(status) or _problem(path, piece, end, dat)
        if pieces and piece.stamp == pieces[-1].stamp:
            problem = f"{pieces[-1].name} is of the same second"
        if problem:
            chain.problems[name] = problem
        pieces.append(piece)
        end = piece.end
    lines = [line for line in dat.lines if not line.guard] if dat else []
    chain.pieces = tuple(pieces)
    chain.own = frozenset(line.name for line in lines if line.own)
    # A guard is there while a backup is being put in place: it may not be there yet.
    if dat and len(lines) == len(dat.lines):
        chain.missing = tuple(line.name for line in lines if line.name not in names)
    return chain


def _piece(name: str, status: os.stat_result, dat: Dat | None) -> Piece:
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    line = dat.line(name) if dat else None
    if line is None:
        return Piece(name, 0, 0, "", size)
    return Piece(name, line.start, line.end, line.md5, size)


def _odd(status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        return ""
    return odd(Path(), status.st_mode).strerror or ""


def _problem(path: Path, piece: Piece, end: int, dat: Dat | None) -> str:
    if dat is None:
        return "its .dat is missing"
    if dat.problem:
        return dat.problem
    if not piece.md5:
        return "it is not in the .dat: it was interrupted, and `repozo -R` uses it all the same"
    if piece.start != end:
        return f"it begins at byte {piece.start}, and what is before it ends at byte {end}"
    if _content_size(path / piece.name, piece) != piece.end - piece.start:
        return f"it does not hold the {piece.end - piece.start} bytes that the .dat says"
    return ""


def _content_size(path: Path, piece: Piece) -> int:
    """Return the size of what is in a piece; in a compressed one, as far as that can be known."""
    if not piece.gzip:
        return piece.size
    with opened(path) as descriptor:
        end = os.pread(descriptor, GZIP_SIZE, max(piece.size - GZIP_SIZE, 0))
    low = int.from_bytes(end, "little")
    expected = piece.end - piece.start
    return expected if low == expected % (1 << 32) else low
