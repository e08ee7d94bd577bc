"""Blob files put in place beside those that are there: a blob never changes.

So both the old and the new Data.fs find all of theirs, at whatever point this is cut off.
"""

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.system.fsync import named, sync_directory, sync_file, sync_system

from .blob_layout import MARKER
from .blob_plan import BlobPlan
from .blob_tree import files
from .files import UNFINISHED, chunks, copy, give, is_there, link_or_copy


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
            source, target = self._plan.source / path, blob_dir / where
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
                path.unlink()
                with suppress(OSError):  # not empty
                    path.parent.rmdir()

    def undo(self) -> list[Path]:
        """Have the blob directory be as before, as far as may be; return what is left of ours."""
        kept, blob_dir = self._plan.kept, self._plan.blob_dir
        for target in self._made:
            with suppress(OSError):
                target.unlink(missing_ok=True)
        for target in self._replaced:
            with suppress(OSError):
                if kept is not None:
                    (kept / target.relative_to(blob_dir)).replace(target)
        for directory in reversed(self._directories):
            with suppress(OSError):
                directory.rmdir()
        if kept is None:
            return [*self._made, *self._directories]
        unfinished = kept.with_name(kept.name + UNFINISHED)
        with suppress(OSError):
            if is_there(kept):
                kept.rename(unfinished)
            if is_there(unfinished):
                shutil.rmtree(unfinished)
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
        both = zip_longest(chunks(first, one), chunks(second, other))
        return all(ours == theirs for ours, theirs in both)


def _missing(path: Path) -> list[Path]:
    """Return a directory and those above it that are not there, the highest first."""
    return [each for each in (path, *path.parents) if not is_there(each)][::-1]
