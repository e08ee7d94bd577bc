"""A repository: its lock, which backups it holds, and which of them are complete.

Whoever made them. Only names, sizes and the small files beside the pieces are read.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from zope_exporter.maintenance.jobs.lock import holder
from zope_exporter.maintenance.jobs.report import RefusedError

from .beneath import LINK, Beneath, OddFileError
from .chains import REMOVING, Chain, indexes, read_chains
from .checksummed_json import ChecksumError
from .manifest import SUFFIX, Manifest, Piece, read_manifest
from .pool import SHARD
from .stamps import BLOBS, printable, time_of
from .verification_record import (
    CURRENT,
    VERIFIED,
    Level,
    Seal,
    Sealing,
    VerificationRecord,
    read_current,
    read_record,
)

Told = TypeVar("Told")

UNFINISHED = "it has no manifest: it was interrupted"
LOST = "its manifest is missing"


@dataclass(frozen=True)
class Backup:
    """One point in time that can be restored; or, with a `problem`, that cannot be relied on.

    `pieces` restore it, in their order, and are known again by their `seal`. Without a manifest it
    was made by repozo. `covered` is when all it holds was the whole database, in seconds since the
    epoch. The files in `spoilt` told what came later, and can be read no more, which makes nothing
    of the backup itself worse. It is `unfinished` if it lacks a manifest, its own or that of a
    piece before, and may be gone on from once all is compared.
    """

    repository: Path
    stamp: str
    pieces: tuple[Piece, ...]
    manifest: Manifest | None = None
    problem: str = ""
    record: VerificationRecord | None = None
    seal: Seal = field(default_factory=Seal)
    covered: float = 0.0
    spoilt: Mapping[str, str] = field(default_factory=dict)
    unfinished: bool = False

    @property
    def full(self) -> bool:
        """Whether its own piece, the last, is a full one."""
        return self.pieces[-1].full

    @property
    def kind(self) -> str:
        return "full" if self.full else "incremental"

    @property
    def generation(self) -> str:
        """The stamp of the full backup that it needs."""
        return self.pieces[0].stamp

    @property
    def complete(self) -> bool:
        return not self.problem

    @property
    def proven(self) -> bool:
        """Whether it was restored, or all its bytes compared, and nothing was wrong with it."""
        record = self.record
        return (
            self.complete and record is not None and record.ok and record.level >= Level.CHECKSUMS
        )

    @property
    def size(self) -> int:
        """Bytes that its own piece takes in the repository."""
        return self.pieces[-1].size

    @property
    def covered_tid(self) -> int | None:
        """The id of its last transaction, None where only repozo knows of it."""
        return self.manifest.tid if self.manifest else None

    @property
    def has_blobs(self) -> bool:
        """Whether it tells which blobs belong to it, be that none."""
        return self.manifest is not None and self.manifest.blobs is not None


@dataclass(frozen=True)
class Repository:
    """All backups in a directory, the newest last, and what is wrong there besides."""

    path: Path
    backups: tuple[Backup, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def complete(self) -> tuple[Backup, ...]:
        return tuple(backup for backup in self.backups if backup.complete)

    @property
    def newest(self) -> Backup | None:
        """The newest complete backup."""
        return self.complete[-1] if self.complete else None

    @property
    def last_proven(self) -> Backup | None:
        return next((backup for backup in reversed(self.backups) if backup.proven), None)

    def last_proven_by(self, level: Level) -> Backup | None:
        """Return the backup that was last proven so thoroughly, at whatever time it was made."""
        proven = [each for each in self.backups if each.proven and _level_of(each) >= level]
        return max(proven, key=lambda each: each.record.time if each.record else 0.0, default=None)


def _level_of(backup: Backup) -> int:
    return backup.record.level if backup.record else 0


def read_repository(path: Path) -> Repository:
    """List the backups; a directory that is not there yet has none. Raises OSError."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except FileNotFoundError:
        return Repository(path, ())
    chains = [chain for chain in read_chains(path, names) if not chain.removed]
    backups = tuple(backup for chain in chains for backup in _backups(path, chain))
    return Repository(
        path,
        backups,
        (*_problems(names, chains, backups), *_odd_places(path, names)),
        tuple(indexes(names)),
    )


def _problems(
    names: Sequence[str], chains: Sequence[Chain], backups: Sequence[Backup]
) -> Iterator[str]:
    listed = {backup.stamp for backup in backups}
    for backup in backups:
        yield from backup.spoilt.values()
    for chain in chains:
        for name in chain.missing:
            yield f"{name}: is missing, and {chain.stamp}.dat lists it"
    for name in names:
        stamp = name.removesuffix(SUFFIX)
        if name != stamp and stamp not in listed and stamp + REMOVING not in names:
            yield f"{printable(name)}: the piece it is about is missing"


def _odd_places(path: Path, names: Sequence[str]) -> Iterator[str]:
    """Name what stands in the place of blobs and is no directory: nobody follows or removes it."""
    if BLOBS not in names:
        return
    try:
        with Beneath(path, BLOBS) as blobs, os.scandir(blobs.descriptor) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                ours = SHARD.fullmatch(entry.name) or time_of(entry.name)
                if ours and not entry.is_dir(follow_symlinks=False):
                    what = LINK if entry.is_symlink() else "it is not a directory"
                    yield f"{BLOBS}/{entry.name}: {what}, or remove it"
    except OddFileError as error:
        yield f"{BLOBS}: {error.strerror}"
    except (FileNotFoundError, PermissionError):
        return  # gone meanwhile, or nothing that whoever lists the backups may look into


def _backups(path: Path, chain: Chain) -> Iterator[Backup]:
    """Yield what can be restored from the pieces of a chain, with what manifests say of them."""
    manifests: dict[str, Manifest] = {}
    listed = []
    sealing = Sealing()
    for number, piece in enumerate(chain.pieces):
        seal = sealing.over(described(piece), chain.changed[piece.name])
        backup = _backup(path, chain, number, manifests, seal)
        listed.append(backup)
        if backup.manifest:
            manifests[backup.stamp] = backup.manifest
    known = {piece.name: piece for each in manifests.values() for piece in each.own}
    problem, unfinished = "", False
    pieces: list[Piece] = []
    for backup in listed:
        own = backup.pieces[-1]
        if not problem and backup.manifest is None and own.name in chain.own - known.keys():
            later = any(
                _has_manifest(path, each.stamp) for each in chain.pieces[len(backup.pieces) :]
            )
            problem, unfinished = backup.problem or (LOST if later else UNFINISHED), not later
        previous = backup.manifest.previous if backup.manifest else ""
        missing = f"{previous}{SUFFIX} is missing" if previous not in {"", *manifests} else ""
        problem = problem or backup.problem
        pieces.append(known.get(own.name, own))
        told = problem or missing
        yield replace(backup, pieces=tuple(pieces), problem=told, unfinished=unfinished)


def _has_manifest(path: Path, stamp: str) -> bool:
    return os.path.lexists(path / (stamp + SUFFIX))


def _backup(
    path: Path, chain: Chain, number: int, before: Mapping[str, Manifest], seal: Seal
) -> Backup:
    pieces = chain.pieces[: number + 1]
    stamp = pieces[-1].stamp
    problem = chain.problems.get(pieces[-1].name, "")
    manifest, covered = None, _seconds(stamp)
    spoilt: dict[str, str] = {}
    record = _unless_spoilt(read_record, path / (stamp + VERIFIED), spoilt)
    current = _unless_spoilt(read_current, path / (stamp + CURRENT), spoilt)
    other = record is not None and record.seal.pieces != seal.pieces
    record = record if record and record.seal == seal else None
    try:
        if other:
            problem = problem or f"{stamp}{VERIFIED} is about other pieces"
        else:
            manifest = read_manifest(path / (stamp + SUFFIX), before)
            problem = problem or _contradiction(pieces, manifest)
            covered = manifest.made if current is None else current
    except FileNotFoundError:
        pass
    except (ChecksumError, OSError) as error:
        problem = problem or str(error)
    return Backup(path, stamp, pieces, manifest, problem, record, seal, covered, spoilt)


def _unless_spoilt(
    read: Callable[[Path], Told | None], path: Path, spoilt: dict[str, str]
) -> Told | None:
    try:
        return read(path)
    except (ChecksumError, OSError) as error:
        spoilt[path.name] = str(error)
        return None


def described(piece: Piece) -> str:
    """Return what a seal says of a piece."""
    return f"{piece.name} {piece.size} {piece.md5}"


def _contradiction(pieces: Sequence[Piece], manifest: Manifest) -> str:
    name = manifest.stamp + SUFFIX
    if [piece.name for piece in pieces] != [piece.name for piece in manifest.pieces]:
        return f"{name} lists other pieces than are there"
    # Those that it inherits were compared with what its parent says of them.
    for found, told in zip(pieces[manifest.inherited :], manifest.own, strict=True):
        if found != replace(told, sha256="", content=""):
            return f"{told.name} is not as {name} and the .dat say: size, place and MD5 sum"
    return ""


def _seconds(stamp: str) -> float:
    moment = time_of(stamp)
    return moment.timestamp() if moment else 0.0


@contextmanager
def exclusive(repository: Path) -> Iterator[None]:
    """Hold the repository alone. Raises RefusedError `busy`, and OSError."""
    with _locked(repository, fcntl.LOCK_EX):
        yield


@contextmanager
def shared(repository: Path) -> Iterator[None]:
    """Keep away those that change the repository. Raises RefusedError `busy`, and OSError."""
    with _locked(repository, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(repository: Path, how: int) -> Iterator[None]:
    descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = f"{holder(descriptor)} works on {repository}"
            raise RefusedError("busy", reason, "try again when it has ended") from None
        yield
    finally:
        os.close(descriptor)
