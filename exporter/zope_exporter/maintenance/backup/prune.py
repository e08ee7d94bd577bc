"""Removing what a repository need not keep: old generations, and what interrupted runs left."""

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError

from .beneath import Beneath, OddFileError
from .blob_lists import added_places
from .chains import REMOVING, dat_text, read_dat
from .disk import Disk
from .manifest import SUFFIX
from .pool import remove_from_pool
from .repository import Backup, Repository, read_repository
from .retention import Retention, kept_beside
from .stamps import BLOBS, DAT, INDEX, OWN, PIECE, STAMP, TEMPORARY, names_in, printable

STAMPED = re.compile(STAMP)
Say = Callable[[str], object]


def outdated(
    repository: Repository, keep_full: int, rules: Retention | None = None, now: float = 0.0
) -> list[str]:
    """Return the generations that are not to be kept, the oldest first.

    Kept are the newest `keep_full` with a complete backup, that of the newest backup of all, that
    of the last proven one, and those of all that the rules keep at the time `now`. A generation is
    kept as a whole, or not at all.
    """
    complete = _generations(repository.complete)
    kept = {*complete[-max(keep_full, 1) :], *_generations(repository.backups)[-1:]}
    if repository.last_proven is not None:
        kept.add(repository.last_proven.generation)
    if rules is not None:
        kept.update(_generations(list(kept_beside(repository.complete, rules, now))))
    if len(complete) < max(keep_full, 1):
        return []
    oldest = complete[-max(keep_full, 1)]
    every = _generations(repository.backups)
    return [stamp for stamp in every if stamp < oldest and stamp not in kept]


def remove_generations(disk: Disk, repository: Path, stamps: Sequence[str], say: Say) -> None:
    """Remove full backups with all that belongs to them, and say what is to be known of links.

    From the first step on one is listed no more, and the next backup goes on where a crash ended
    it. Pieces go the newest first, so that what repozo sees is a backup as long as it sees any.
    Blobs go last, once it is on the disk that no backup lists them.
    """
    for stamp in stamps:
        disk.replace(repository / (stamp + REMOVING), b"")
        for each in reversed(_stamps_of(repository, stamp)):
            _remove_backup(disk, repository, each, say)
        disk.discard(repository / f"{stamp}.dat")
    disk.sync_directory(repository)
    _remove_unlisted_blobs(disk, repository, say)
    for stamp in stamps:
        disk.remove(repository / (stamp + REMOVING))


def remove_unfinished(disk: Disk, backup: Backup, say: Say) -> None:
    """Remove a piece whose backup was interrupted, once there is a full backup after it."""
    own = backup.pieces[-1]
    if own.full:
        remove_generations(disk, backup.repository, [backup.stamp], say)
        return
    dat = backup.repository / f"{backup.generation}.dat"
    before = read_dat(dat)
    disk.replace(dat, dat_text(backup.pieces, before, guard=True).encode())
    disk.remove(backup.repository / own.name)
    disk.sync_directory(backup.repository)
    disk.replace(dat, dat_text(backup.pieces[:-1], before).encode())


def clean(disk: Disk, repository: Path, say: Say) -> bool:
    """Remove what interrupted runs left; tell whether there was any. The lock must be held."""
    names = names_in(repository)
    removing = [name for name in names if name.endswith(REMOVING) and OWN.fullmatch(name)]
    temporary = [name for name in names if TEMPORARY.fullmatch(name)]
    if removing or temporary:
        stamps = [name.removesuffix(REMOVING) for name in removing]
        remove_generations(disk, repository, stamps, say)
    for name in temporary:
        disk.discard(repository / name)
    for name in removing + temporary:
        say(f"removed {name}, which an interrupted backup had left")
    return bool(removing or temporary)


def clean_orphans(disk: Disk, repository: Path, say: Say) -> None:
    """Remove what belongs to no piece, once a new backup is complete."""
    stamps = {match[1] for name in names_in(repository) if (match := PIECE.fullmatch(name))}
    for name in names_in(repository):
        match = OWN.fullmatch(name)
        if match and match[1] not in stamps:
            disk.remove(repository / name)
        match = DAT.fullmatch(name)
        if match and match[1] not in stamps and _is_own(repository / name):
            disk.remove(repository / name)
    for name in names_in(repository, BLOBS):
        if STAMPED.fullmatch(name) and name not in stamps:
            _remove_snapshot(disk, repository, name, say)


def _remove_backup(disk: Disk, repository: Path, stamp: str, say: Say) -> None:
    """Remove the manifest of a backup and what else is beside its piece, then the piece."""
    for name in names_in(repository):
        match = OWN.fullmatch(name) or INDEX.fullmatch(name)
        if match and match[1] == stamp and not name.endswith(REMOVING):
            _remove_file(disk, repository / name, say)
    _remove_snapshot(disk, repository, stamp, say)
    for name in names_in(repository):
        match = PIECE.fullmatch(name)
        if match and match[1] == stamp:
            _remove_file(disk, repository / name, say)


def _remove_unlisted_blobs(disk: Disk, repository: Path, say: Say) -> None:
    """Remove the blobs of no backup, if it can be told which those are."""
    keep: set[str] = set()
    for backup in read_repository(repository).backups:
        name = backup.stamp + SUFFIX
        try:
            if backup.manifest is None and os.path.lexists(repository / name):
                raise ActionError("reading the backup", f"{name} cannot be read")
            keep |= added_places(backup)
        except ActionError as error:
            say(f"no blobs are removed, as it is not known which are needed: {error.reason}")
            return
    remove_from_pool(disk, repository, keep, say)


def _remove_file(disk: Disk, path: Path, say: Say) -> None:
    if path.is_symlink():
        target = printable(str(path.readlink()))
        say(f"{path.name} was a symbolic link: {target} is left as it is")
    disk.remove(path)


def _remove_snapshot(disk: Disk, repository: Path, stamp: str, say: Say) -> None:
    """Remove the blobs of a backup of an earlier version. What is no directory is left, and said.

    Somebody may have moved them to a bigger disk and put a link here: to follow it would empty
    whatever it leads to, and without it nobody would find them.
    """
    place = f"{BLOBS}/{stamp}"
    try:
        with Beneath(repository, BLOBS) as snapshots:
            found = snapshots.status(stamp).st_mode
            if stat.S_ISDIR(found):
                disk.remove_tree(repository / place, snapshots.descriptor)
                return
    except FileNotFoundError:
        return
    except OddFileError as error:
        say(f"{place} is left as it is: {BLOBS}: {error.strerror}")
        return
    if stat.S_ISLNK(found):
        target = printable(str((repository / place).readlink()))
        say(f"{place} is a symbolic link to {target}; no backup needs it: remove both by hand")
    else:
        say(f"{place} is not a directory and left as it is: no backup needs it")


def _stamps_of(repository: Path, full: str) -> list[str]:
    """Return the stamps of the pieces from a full one up to the next."""
    pieces = [name for name in names_in(repository) if PIECE.fullmatch(name)]
    fulls = [name.partition(".")[0] for name in pieces if "delta" not in name]
    end = min((stamp for stamp in fulls if stamp > full), default="~")
    stamps = {name.partition(".")[0] for name in pieces}
    return sorted(stamp for stamp in stamps if full <= stamp < end)


def _generations(backups: Sequence[Backup]) -> list[str]:
    return sorted({backup.generation for backup in backups})


def _is_own(dat: Path) -> bool:
    found = read_dat(dat)
    return found is not None and not found.problem and all(line.own for line in found.lines)
