"""Full backups and the incremental ones after them, as the names and the `.dat` files have them."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .dat import Dat, read_dat
from .manifest import Piece
from .small_file import odd, open_regular
from .stamps import INDEX, PIECE, time_of

REMOVING = ".removing"
GZIP_SIZE = 4  # at the end of a gzip file: how much is in it, modulo 2 ** 32


@dataclass
class Chain:
    """A full piece and what follows it.

    `problems` names pieces that cannot be relied on, nor can what comes after them. `changed` is
    when each was last written to (ns). Of `own` pieces
    it was not repozo that noted them in the `.dat`. A chain that is `removed` is only half there.
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
    pieces = [name for name in names if (match := PIECE.fullmatch(name)) and time_of(match[1])]
    for name in sorted(pieces):
        stamp = name.partition(".")[0]
        if "delta" not in name:
            found.append((stamp, []))
        elif not found:
            found.append(("", []))
        found[-1][1].append(name)
    return [_chain(path, stamp, chained) for stamp, chained in found]


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
    with os.fdopen(open_regular(path), "rb") as file:
        file.seek(max(piece.size - GZIP_SIZE, 0))
        low = int.from_bytes(file.read(GZIP_SIZE), "little")
    expected = piece.end - piece.start
    return expected if low == expected % (1 << 32) else low
