"""What is known of a backup after it was made, each in a small file beside its manifest.

`STAMP.verified` is how it was last verified, `STAMP.current` when it was last found to cover all.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from .checksummed_json import ChecksumError, checksummed, read_checksummed
from .stamps import time_of_epoch

VERIFIED = ".verified"
CURRENT = ".current"
SHOWN = 5


@dataclass(frozen=True)
class Faults:
    """What is wrong with a database itself, so that a faithful backup of it has the same faults.

    How many there are, and a few sentences about them.
    """

    count: int = 0
    sentences: tuple[str, ...] = ()

    def __add__(self, other: "Faults") -> "Faults":
        return Faults(self.count + other.count, self.sentences + other.sentences)


def dangling(references: Sequence[tuple[int, int]]) -> Faults:
    """Of references, each from an object to one that is not there."""
    sentences = [
        f"object {source:#x} refers to object {target:#x}, which the database does not have"
        for source, target in references[:SHOWN]
    ]
    return _faults(sentences, len(references), "references lead to objects that are not there")


def missing(blobs: Sequence[str]) -> Faults:
    """Of the paths of blobs that objects have and that are not there."""
    sentences = [f"the blob {path} is missing" for path in blobs[:SHOWN]]
    return _faults(sentences, len(blobs), "blobs are missing")


def _faults(sentences: Sequence[str], count: int, others: str) -> Faults:
    more = [f"{count - SHOWN} more {others}"] if count > SHOWN else []
    return Faults(count, (*sentences, *more))


class Level(IntEnum):
    """How thoroughly a backup is verified; each level does all that the ones before do."""

    MANIFEST = 1
    CHECKSUMS = 2
    RESTORE = 3

    @property
    def word(self) -> str:
        """As people, configuration and records write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Schedule:
    """At which level all is proven, and for how many seconds that is enough; 0: each time."""

    level: Level = Level.RESTORE
    every: float = 0.0


class Seal(NamedTuple):
    """What pieces are known again by: digests of what each is, and of when each was written."""

    pieces: str = ""
    written: str = ""


class Sealing:
    """Makes the seals of the pieces in a chain: a record is small however long the chain is."""

    def __init__(self) -> None:
        self._digests = sha256(), sha256()

    def over(self, described: str, changed: int) -> Seal:
        """Return the seal with one piece more, `changed` when its file was last written to (ns)."""
        for digest, text in zip(self._digests, (described, changed), strict=True):
            digest.update(f"{text}\n".encode())
        return Seal(*(digest.hexdigest() for digest in self._digests))


@dataclass(frozen=True)
class VerificationRecord:
    """How a backup was last verified, at `time`, in seconds since the epoch.

    `seal` is of what was verified: name, size and MD5 sum of each piece, and when each file was
    last written to: what is put in its place later, though of the same size, is not proven.
    `transactions`, `records` and `objects` were counted by the level `restore`, and are 0 before;
    `database_faults` by that level alone: references to nothing and missing blobs that the database
    has too, None if unknown.
    """

    stamp: str
    level: Level
    time: float
    failures: tuple[str, ...]
    seal: Seal
    transactions: int = 0
    records: int = 0
    objects: int = 0
    database_faults: int | None = None

    @property
    def ok(self) -> bool:
        return not self.failures

    def encoded(self) -> bytes:
        return checksummed(asdict(self) | {"level": self.level.word})


def read_record(path: Path) -> VerificationRecord | None:
    """Return how a backup was verified, None if never. Raises ChecksumError and OSError."""
    contents = _contents(path)
    if contents is None:
        return None
    try:
        seal = _seal(contents)
        record = VerificationRecord(
            **contents
            | {
                "level": Level[contents["level"].upper()],
                "failures": tuple(contents["failures"]),
                "seal": seal,
            }
        )
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ChecksumError(f"{path.name} is of another kind") from error
    _checked_time(record.time, path)
    if not isinstance(record.database_faults, int | None):
        raise ChecksumError(f"{path.name} is of another kind")
    if record.stamp + VERIFIED != path.name:
        raise ChecksumError(f"{path.name} is about {record.stamp}")
    return record


def _seal(contents: dict[str, Any]) -> Seal:
    """Take the seal out of a record; those of earlier versions list all pieces."""
    if "seal" in contents:
        return Seal(*map(str, contents.pop("seal")))
    lists = contents.pop("pieces"), contents.pop("changed")
    lines = ("".join(f"{each}\n" for each in told) for told in lists)
    return Seal(*(sha256(text.encode()).hexdigest() for text in lines))


def current(stamp: str, time: float, tid: int) -> bytes:
    """Return the file that says: at `time` the database held nothing after `tid`."""
    return checksummed({"stamp": stamp, "time": time, "tid": tid})


def read_current(path: Path) -> float | None:
    """Return when a backup was last found to cover all, None if never.

    Raises ChecksumError and OSError.
    """
    contents = _contents(path)
    if contents is None:
        return None
    stamp, time = contents.get("stamp"), contents.get("time")
    if f"{stamp}{CURRENT}" != path.name:
        raise ChecksumError(f"{path.name} is about {stamp}")
    return _checked_time(time, path)


def _checked_time(time: Any, path: Path) -> float:
    try:
        return time_of_epoch(time).timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise ChecksumError(f"{path.name} is of no time: {error}") from error


def _contents(path: Path) -> dict[str, Any] | None:
    try:
        return read_checksummed(path)
    except FileNotFoundError:
        return None
