"""What a backup says of itself: written last, so that a backup without a manifest is not done.

A manifest holds what its own backup has added to the one before in the chain: it goes on from
`previous`, so that each is as small as what is new. Those of the first format repeat all pieces.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .checksummed_json import ChecksumError, checksummed, read_checksummed
from .stamps import PIECE, time_of_epoch

FORMAT = 3
# Of 1 the manifests list the pieces of the whole chain; 1 and 2 have blobs in snapshots alone.
EARLIER = (1, 2)
SUFFIX = ".manifest"
LARGEST = (1 << 63) - 1
TAIL = 1 << 20  # bytes of the longest mark, which is the last one
LENGTH = 4096  # bytes of the other ones at most
MOST_MARKS = 256
NOT_WRITTEN = frozenset({"inherited", "earlier", "earlier_lists"})


@dataclass(frozen=True)
class Piece:
    """A file that holds the bytes of a Data.fs from `start` to `end`.

    `size` and `sha256` are of the file as it is, `md5` and `content` of what is in it: an MD5 sum
    as repozo has it, and a SHA-256. An empty sum is unknown: the piece was made by repozo.
    """

    name: str
    start: int
    end: int
    md5: str
    size: int = -1
    sha256: str = ""
    content: str = ""

    @property
    def gzip(self) -> bool:
        return self.name.endswith("z")

    @property
    def full(self) -> bool:
        return "delta" not in self.name

    @property
    def stamp(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Mark:
    """A place in the Data.fs, and the SHA-256 of the bytes there, to know the file again by."""

    position: int
    length: int
    sha256: str


@dataclass(frozen=True)
class BlobList:
    """The blobs: the SHA-256 of the file that lists them, how many there are, and their bytes.

    It lists what is new `since` the backup of that stamp, all of them if that is empty. With None
    they are in a snapshot of their own, as earlier versions made it.
    """

    sha256: str
    files: int
    size: int
    since: str | None = None


@dataclass(frozen=True)
class Manifest:
    """One backup.

    `pieces` restore it, in their order; `previous` is the stamp of the manifest before in the same
    chain, if any. `tid` is that of the last transaction covered, which begins at `last`, and `made`
    when the backup was begun, in seconds since the epoch. `transactions` and `records` are those of
    all pieces. `device` and `inode` were those of the Data.fs, and `marks` were taken in what is
    new. The first `inherited` pieces, the marks `earlier` and the lists of blobs by their stamps
    `earlier_lists` are those of `previous`, not written.
    """

    stamp: str
    site: str
    database: str
    tool: str
    made: float
    pieces: tuple[Piece, ...]
    previous: str
    tid: int
    last: int
    transactions: int
    records: int
    device: int
    inode: int
    marks: tuple[Mark, ...]
    blobs: BlobList | None
    inherited: int = 0
    earlier: tuple[Mark, ...] = ()
    earlier_lists: tuple[tuple[str, BlobList], ...] = ()

    @property
    def lists(self) -> tuple[tuple[str, BlobList], ...]:
        """The lists that tell of the blobs, by their stamps, the first one whole."""
        before = self.earlier_lists if self.blobs and self.blobs.since else ()
        return (*before, (self.stamp, self.blobs)) if self.blobs else ()

    @property
    def end(self) -> int:
        return self.pieces[-1].end if self.pieces else 0

    @property
    def own(self) -> tuple[Piece, ...]:
        """The pieces that `previous` does not list."""
        return self.pieces[self.inherited :]

    @property
    def fingerprint(self) -> tuple[Mark, ...]:
        """The marks that the whole Data.fs is known by: the last bytes, and places before them."""
        kept = [mark for mark in self.earlier if mark.length <= LENGTH] + list(self.marks[:-1])
        while len(kept) > MOST_MARKS:
            kept = kept[::2]
        return (*kept, *self.marks[-1:])

    def encoded(self) -> bytes:
        contents = asdict(replace(self, pieces=self.own, earlier=(), earlier_lists=()))
        written = {key: value for key, value in contents.items() if key not in NOT_WRITTEN}
        return checksummed({"format": FORMAT, **written})


NOTHING = Manifest("", "", "", "", 0.0, (), "", 0, 0, 0, 0, 0, 0, (), None)
"""What a full backup goes on from."""


def read_manifest(path: Path, before: Mapping[str, Manifest]) -> Manifest:
    """Return a manifest, which may go on from one of those `before` by their stamps.

    Raises ChecksumError, and OSError if it cannot be read.
    """
    contents = read_checksummed(path)
    if contents.pop("format", None) not in (FORMAT, *EARLIER):
        raise ChecksumError(f"{path.name} is of a format that this version does not know")
    try:
        manifest = _manifest(contents)
        _check_values(manifest)
        if manifest.stamp + SUFFIX != path.name:
            raise ChecksumError(f"{path.name} is the manifest of {manifest.stamp}")
        if manifest.pieces and manifest.pieces[0].start:
            manifest = _continued(manifest, before)
        _check_pieces(manifest)
        _check_lists(manifest)
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError) as error:
        raise ChecksumError(f"{path.name} is of another kind: {error}") from error
    return manifest


def _manifest(contents: dict[str, Any]) -> Manifest:
    blobs = contents.pop("blobs")
    if NOT_WRITTEN & contents.keys():
        raise ValueError("it has what comes from the manifest before")
    return Manifest(
        **contents
        | {
            "pieces": tuple(Piece(**piece) for piece in contents["pieces"]),
            "marks": tuple(Mark(**mark) for mark in contents["marks"]),
            "blobs": None if blobs is None else BlobList(**blobs),
        }
    )


def _continued(manifest: Manifest, before: Mapping[str, Manifest]) -> Manifest:
    """Return the whole of a manifest that goes on from another."""
    previous = before.get(manifest.previous)
    if previous is None:
        raise ChecksumError(f"{manifest.previous}{SUFFIX} is missing")
    return replace(
        manifest,
        pieces=previous.pieces + manifest.pieces,
        inherited=len(previous.pieces),
        earlier=previous.fingerprint,
        earlier_lists=previous.lists,
    )


def _check_values(manifest: Manifest) -> None:
    """Raise ValueError for what is of another kind, or would take all memory to look at."""
    time_of_epoch(manifest.made)
    numbers = [manifest.tid, manifest.last, manifest.transactions, manifest.records]
    numbers += [place for piece in manifest.pieces for place in (piece.start, piece.end)]
    numbers += [mark.position for mark in manifest.marks]
    numbers += [manifest.blobs.files, manifest.blobs.size] if manifest.blobs else []
    lengths = [mark.length for mark in manifest.marks]
    for number, most in [(each, LARGEST) for each in numbers] + [(each, TAIL) for each in lengths]:
        if not isinstance(number, int) or not 0 <= number <= most:
            raise ValueError(f"{number!r} cannot be")
    texts = [manifest.stamp, manifest.site, manifest.database, manifest.tool, manifest.previous]
    texts += [text for p in manifest.pieces for text in (p.md5, p.sha256, p.content)]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it has something else where there are texts")


def _check_pieces(manifest: Manifest) -> None:
    """Raise ChecksumError unless its own pieces go on where the inherited ones end."""
    own = manifest.own
    # A name is never followed out of the repository.
    sound = bool(own) and all(PIECE.fullmatch(piece.name) for piece in own)
    before = manifest.pieces[manifest.inherited - 1] if manifest.inherited else None
    end = before.end if before else 0
    for number, piece in enumerate(own, manifest.inherited):
        sound = sound and piece.start == end <= piece.end and piece.full == (number == 0)
        end = piece.end
    stamps = [piece.stamp for piece in ((before,) if before else ()) + own]
    if not sound or stamps != sorted(set(stamps)) or stamps[-1] != manifest.stamp:
        raise ChecksumError(f"{manifest.stamp}{SUFFIX} lists pieces that do not follow each other")


def _check_lists(manifest: Manifest) -> None:
    """Raise ChecksumError unless the list of blobs goes on from that of the manifest before."""
    since = manifest.blobs.since if manifest.blobs else ""
    if since and [stamp for stamp, _ in manifest.earlier_lists[-1:]] != [since]:
        raise ChecksumError(f"{manifest.stamp}{SUFFIX} has blobs of {since}, which has none")
