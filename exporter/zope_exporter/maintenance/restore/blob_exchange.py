"""Blob files put in place beside those that are there: a blob never changes.

So both the old and the new Data.fs find all of theirs, at whatever point this is cut off. All is
planned before anything is written. The blobs of before are kept as a second tree of hard links. It
can only be on their own file system: beside the blob directory, or, where that is a mount point, in
it. ZODB looks into directories with the number of an object for a name, and leaves that one alone.
"""

import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.maintenance.room import Need
from zope_exporter.system.foreign_file import chunks
from zope_exporter.system.fsync import named, sync_directory, sync_file, sync_system

from .blob_directory import BUSHY, MARKER, files, marked, placed, told_by
from .files import (
    UNFINISHED,
    copy,
    give,
    has_links,
    is_there,
    link_or_copy,
    remove_directory,
    remove_file,
    remove_tree,
)
from .source import Source

NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class BlobPlan:
    """Which blobs come from `source` to `blob_dir`, `sizes` and `targets` being by path in it.

    Those of before are kept at `kept`, None if there are none, by `links` or else as copies.
    """

    source: Source
    sizes: Mapping[str, int]
    blob_dir: Path
    targets: Mapping[str, str]
    layout: str
    kept: Path | None
    links: bool

    def needs(self) -> Iterator[Need]:
        """Tell what is to be written where."""
        copied = [
            self.sizes[path]
            for path, target in self.targets.items()
            if not _has_size(self.blob_dir / target, self.sizes[path])
        ]
        directories = [each for each in _parents(self.targets.values()) if not self._has(each)]
        yield Need(self.blob_dir, copied, len(directories))
        if self.kept:
            before = list(files(self.blob_dir))
            sizes = [] if self.links else [path.stat().st_size for path in before]
            inside = _parents(str(path.relative_to(self.blob_dir)) for path in before)
            yield Need(self.kept.parent, sizes, len(inside))

    def _has(self, directory: str) -> bool:
        return (self.blob_dir / directory).is_dir()


def plan_blobs(source: Source, blob_dir: Path, places: Sequence[Path]) -> BlobPlan:
    """Look at both directories; `places` are where the blobs of before could be kept, in order.

    What can be had there is tried; without any, nothing is touched, and they are not planned for.
    Raises RefusedError and OSError.
    """
    if blob_dir.is_symlink() and not is_there(blob_dir):
        reason = f"{blob_dir} is a link to {blob_dir.readlink()}, which is not there"
        raise RefusedError("blobs", reason, "is its file system mounted?")
    if is_there(blob_dir) and not blob_dir.is_dir():
        raise RefusedError("blobs", f"{blob_dir} is no directory", "name the blob directory")
    sizes = source.sizes()
    paths = [path for path in sizes if path != MARKER]
    layout = _layout(source, paths, blob_dir)
    targets = {path: placed(path, layout) for path in paths}
    sample = _sample(blob_dir)
    kept, links = _where_to_keep(places, sample) if sample and places else (None, True)
    return BlobPlan(source, sizes, blob_dir, targets, layout, kept, links)


def _layout(source: Source, paths: Iterable[str], blob_dir: Path) -> str:
    """Return how the blob directory is laid out; an empty one becomes as the source is."""
    there, of_source = marked(blob_dir), marked(source.blobs) if source.blobs else None
    if there is None and is_there(blob_dir):
        there = told_by(str(path.relative_to(blob_dir)) for path in files(blob_dir))
    return there or told_by(paths) or of_source or BUSHY


def _sample(blob_dir: Path) -> Path | None:
    if not is_there(blob_dir):
        return None
    return next((path for path in files(blob_dir) if path.name != MARKER), None)


def _where_to_keep(places: Sequence[Path], sample: Path) -> tuple[Path, bool]:
    """Return the first place that takes hard links, else the last, which has the same owner."""
    for place in places:
        links = _has_links(sample, place)
        if links:
            return place, True
    if links is None:
        reason = f"nothing may be written to {place.parent}"
        raise RefusedError("rights", reason, "run this as the owner of that directory")
    return place, False


def _has_links(sample: Path, kept: Path) -> bool | None:
    """Try whether a file can be kept there by a link; None if nothing can be written there."""
    trial = kept.with_name(kept.name + UNFINISHED)
    try:
        trial.mkdir()
    except OSError as error:
        if error.errno in NO_RIGHT:
            return None
        raise
    try:
        found = has_links(sample, trial / sample.name)
    except OSError:
        shutil.rmtree(trial, ignore_errors=True)
        raise
    trial.rmdir()
    return found


def _has_size(path: Path, size: int) -> bool:
    return is_there(path) and path.stat().st_size == size


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found


class BlobExchange:
    """Brings the blobs of a backup into a blob directory; until it is finished it can be undone."""

    def __init__(self, plan: BlobPlan, owner: os.stat_result, report: Report) -> None:
        self._plan = plan
        self._owner = owner
        self._report = report
        self._made: list[Path] = []
        self._directories: list[Path] = []
        self._replaced: list[Path] = []

    def keep(self) -> None:
        """Make a second tree of all blobs, by hard links, whole or not there at all."""
        kept, blob_dir = self._plan.kept, self._plan.blob_dir
        if kept is None:
            return
        self._report.stage("keeping the blobs of before")
        unfinished = kept.with_name(kept.name + UNFINISHED)
        self._make(unfinished)
        for path in files(blob_dir):
            self._report.check()
            link = unfinished / path.relative_to(blob_dir)
            for directory in _missing(link.parent):
                self._make(directory)
            link_or_copy(path, link)
        sync_system(unfinished)
        unfinished.rename(kept)
        sync_directory(kept.parent)

    def add(self, without: Collection[str]) -> None:
        """Bring all blobs in but some, each by one rename of a whole file."""
        blob_dir = self._plan.blob_dir
        self._report.stage("copying blobs", sum(self._plan.sizes.values()))
        touched = self._directory(blob_dir) | {blob_dir}
        self._mark()
        for path, where in self._plan.targets.items():
            self._report.check()
            source, target = self._plan.source.file_of(path), blob_dir / where
            if path not in without and not _is_same(source, target):
                touched |= self._directory(target.parent) | {target.parent}
                (self._replaced if is_there(target) else self._made).append(target)
                copy(source, target, self._owner)
            self._report.advance(self._plan.sizes[path])
        for directory in touched:
            sync_directory(directory)

    def finish(self, without: Collection[str], stay: Collection[str]) -> None:
        """Remove the blobs that are neither of the backup nor to stay: they are kept."""
        self._report.stage("removing blobs of before")
        targets = self._plan.targets.items()
        wanted = {target for path, target in targets if path not in without} | {MARKER, *stay}
        blob_dir = self._plan.blob_dir
        for path in files(blob_dir) if is_there(blob_dir) else ():
            if str(path.relative_to(blob_dir)) not in wanted:
                self._report.advance(1)
                remove_file(blob_dir, path)
                with suppress(OSError):  # not empty
                    remove_directory(blob_dir, path.parent)

    def undo(self) -> list[Path]:
        """Have the blob directory be as before, as far as may be; return what is left of ours."""
        kept, blob_dir = self._plan.kept, self._plan.blob_dir
        for target in self._made:
            with suppress(OSError):
                remove_file(blob_dir, target)
        for target in self._replaced:
            with suppress(OSError):
                if kept is not None:
                    (kept / target.relative_to(blob_dir)).replace(target)
        for directory in reversed(self._directories):
            with suppress(OSError):
                remove_directory(blob_dir.parent, directory)
        if kept is None:
            return [*self._made, *self._directories]
        unfinished = kept.with_name(kept.name + UNFINISHED)
        with suppress(OSError):
            if is_there(kept):
                kept.rename(unfinished)
            if is_there(unfinished):
                remove_tree(unfinished.parent, unfinished)
        return [*self._made, *self._directories, unfinished]

    def _mark(self) -> None:
        """Say how the directory is laid out: ZODB takes one with blobs and no mark for lawn."""
        marker = self._plan.blob_dir / MARKER
        if is_there(marker):
            return
        unfinished = marker.with_name(MARKER + UNFINISHED)
        self._made += [unfinished, marker]
        with named(unfinished):
            unfinished.write_text(self._plan.layout)
        give(unfinished, self._owner)
        sync_file(unfinished)
        unfinished.replace(marker)

    def _directory(self, path: Path) -> set[Path]:
        """Make a directory unless it is there; return those in which one was made."""
        missing = _missing(path)
        for directory in missing:
            self._make(directory)
            self._directories.append(directory)
        return {directory.parent for directory in missing}

    def _make(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        give(directory, self._owner)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) or _has_same_data(one, other)
    except FileNotFoundError:
        return False


def _has_same_data(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with named(one), one.open("rb") as first, named(other), other.open("rb") as second:
        both = zip_longest(chunks(first.fileno(), one), chunks(second.fileno(), other))
        return all(ours == theirs for ours, theirs in both)


def _missing(path: Path) -> list[Path]:
    """Return a directory and those above it that are not there, the highest first."""
    return [each for each in (path, *path.parents) if not is_there(each)][::-1]
